"""Names the archives that Debian's packages come from."""

MAIN_ARCHIVE = "debian"
SECURITY_ARCHIVE = "debian-security"
ARCHIVES = (MAIN_ARCHIVE, SECURITY_ARCHIVE)
