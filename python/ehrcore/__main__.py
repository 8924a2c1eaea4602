"""`python -m ehrcore` is the command `ehr`."""

import sys

from ._native import command


def main() -> int:
    return command(["ehr", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
