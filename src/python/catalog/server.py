"""The entry point of the catalog service."""

from servicekit import lifecycle


def main() -> int:
    return lifecycle.run(_start)


def _start(life: lifecycle.Lifecycle) -> int:
    from catalog import app  # here, where a stop request is already heard: it takes a while

    return app.serve(life)


if __name__ == "__main__":
    raise SystemExit(main())
