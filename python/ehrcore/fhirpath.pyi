from typing import Any, NamedTuple, Optional, Union

from . import Record, Resource

class Result(NamedTuple):
    type: str
    value: Any
    path: Optional[str]

class Expression:
    def __init__(self, text: str) -> None: ...
    def evaluate(self, resource: Union[Resource, Record]) -> list[Result]: ...

def compile(text: str) -> Expression: ...
