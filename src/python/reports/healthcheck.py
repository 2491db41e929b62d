"""The probe of the reports service."""

from servicekit.healthcheck import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
