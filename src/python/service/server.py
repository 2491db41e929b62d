"""The entry point of the greeting service."""

from servicekit import lifecycle


def main() -> int:
    return lifecycle.run(_start)


def _start(life: lifecycle.Lifecycle) -> int:
    from service import greeting  # here, where a stop request is already heard

    return greeting.serve(life)


if __name__ == "__main__":
    raise SystemExit(main())
