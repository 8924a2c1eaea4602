import os
from typing import Any, NamedTuple, Optional, Union

class Checked(NamedTuple):
    outcome: str
    system: Optional[str]
    display: Optional[str]
    display_wrong: bool
    inactive: bool
    abstract: bool

class Code(NamedTuple):
    system: Optional[str]
    version: Optional[str]
    code: str
    display: Optional[str]
    inactive: bool
    abstract: bool

class Expansion(NamedTuple):
    codes: list[Code]
    total: int
    complete: bool

class Translation(NamedTuple):
    equivalence: str
    system: Optional[str]
    code: str
    display: Optional[str]

class Terminology:
    def __init__(self, *packages: Union[str, os.PathLike[str]], source: Optional[Any] = None) -> None: ...
    def validate_code(
        self,
        code: str,
        *,
        value_set: Optional[str] = None,
        system: Optional[str] = None,
        version: Optional[str] = None,
        display: Optional[str] = None,
    ) -> Checked: ...
    def lookup(self, system: str, code: str, *, version: Optional[str] = None) -> Optional[Code]: ...
    def expand(
        self,
        value_set: str,
        *,
        text: Optional[str] = None,
        active_only: bool = False,
        offset: int = 0,
        count: Optional[int] = None,
    ) -> Expansion: ...
    def subsumes(self, system: str, a: str, b: str, *, version: Optional[str] = None) -> Optional[str]: ...
    def translate(self, concept_map: str, code: str, *, system: Optional[str] = None) -> list[Translation]: ...
