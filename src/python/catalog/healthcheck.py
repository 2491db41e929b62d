"""The probe of the catalog service."""

from servicekit.healthcheck import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
