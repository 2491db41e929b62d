"""Data: the shared libraries that distributions load at run time, with `ctypes` or cffi.

The ELF files in their wheels do not name these libraries. The table maps the normalized name of a
distribution to its libraries; "a|b" means that either is enough. If a wheel contains the library
itself, nothing is missing.
"""

from __future__ import annotations

RUNTIME_LIBRARIES: dict[str, tuple[str, ...]] = {
    "cairocffi": ("libcairo.so.2",),
    "fusepy": ("libfuse.so.2",),
    "ghostscript": ("libgs.so.10|libgs.so.9",),
    "libarchive-c": ("libarchive.so.13",),
    "libnacl": ("libsodium.so.23",),
    "opuslib": ("libopus.so.0",),
    "psycopg": ("libpq.so.5",),
    "pyenchant": ("libenchant-2.so.2",),
    "pyglet": ("libGL.so.1",),
    "pylibdmtx": ("libdmtx.so.0",),
    "pymediainfo": ("libmediainfo.so.0",),
    "pyopengl": ("libGL.so.1",),
    "pysodium": ("libsodium.so.23",),
    "python-magic": ("libmagic.so.1",),
    "python-vlc": ("libvlc.so.5",),
    "pyudev": ("libudev.so.1",),
    "pyusb": ("libusb-1.0.so.0",),
    "pyvips": ("libvips.so.42",),
    "pyzbar": ("libzbar.so.0",),
    "sounddevice": ("libportaudio.so.2",),
    "soundfile": ("libsndfile.so.1",),
    "wand": ("libMagickWand-6.Q16.so.6|libMagickWand-7.Q16.so.10",),
    "weasyprint": (
        "libfontconfig.so.1",
        "libgobject-2.0.so.0",
        "libharfbuzz.so.0",
        "libpango-1.0.so.0",
        "libpangoft2-1.0.so.0",
    ),
}
