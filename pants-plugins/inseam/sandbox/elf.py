"""Tells for which machine an ELF file is."""

from __future__ import annotations

# e_machine values of the ELF specification, by the name that `uname -m` gives such a machine.
MACHINES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}


def machine(head: bytes) -> str | None:
    """The machine of the ELF file that starts with `head` (20 bytes are enough), None if it is
    no ELF file."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return MACHINES.get(number, f"elf-{number}")
