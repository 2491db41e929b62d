from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException

from inseam.plan.health import DeclaredProbes, HealthOptions
from inseam.targets.base import (
    DebianLockField,
    DebianPackagesField,
    DebianUsersField,
    GlibcVersionField,
    InterpreterField,
    PlatformField,
    PythonVersionField,
    RegistryGlibcVersionField,
    RegistryInterpreterField,
    RegistryPythonVersionField,
    RequiredImageReferenceField,
)
from inseam.targets.container import (
    EnvField,
    PortsField,
    ServiceArgsField,
    StopSignalField,
    UserField,
    VolumesField,
    WorkingDirField,
    WritableDirsField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
from inseam.targets.image import OciEntryPointField, OciHealthcheckField
from inseam.targets.programs import (
    ServiceEntryPointField,
    ServiceHealthcheckField,
    ServiceHealthcheckPathField,
    ServiceProgram,
    ServiceProgramsField,
)
from inseam.targets.service import ServiceLayersField

ADDRESS = Address("src/shop", target_name="app")


@pytest.mark.parametrize(
    "field, raw, value",
    [
        (PortsField, None, ()),
        (PortsField, [], ()),
        (PortsField, [8000, "53/udp", "1", 65535], ("8000", "53/udp", "1", "65535")),
        (PortsField, (443,), ("443",)),
        (UserField, None, "65532:65532"),
        (DebianLockField, "lockfiles/a.json", "lockfiles/a.json"),
        (DebianLockField, "inseam:trixie.json", "inseam:trixie.json"),
        (DebianPackagesField, None, "packages.ini"),
        (InterpreterField, "/usr/local/bin/python3.11", "/usr/local/bin/python3.11"),
        (DebianUsersField, None, None),
        (DebianUsersField, {"a-b_1": "1", "c": "2:0"}, {"a-b_1": "1", "c": "2:0"}),
        (UserField, "2147483647:2147483647", "2147483647:2147483647"),
        (UserField, "0", "0"),
        (UserField, "1000:2000", "1000:2000"),
        (EnvField, None, None),
        (EnvField, {"A_1": "", "b": "x = 'y' $Z \t ü"}, {"A_1": "", "b": "x = 'y' $Z \t ü"}),
        (WorkingDirField, None, None),
        (WorkingDirField, "/srv/shop", "/srv/shop"),
        (WritableDirsField, ["/var/lib/shop"], ("/var/lib/shop",)),
        (StopSignalField, None, "SIGTERM"),
        (StopSignalField, "SIGRTMIN+3", "SIGRTMIN+3"),
        (ServiceHealthcheckPathField, "/health?full=1", "/health?full=1"),
        (ServiceProgramsField, None, ()),
        (ServiceProgramsField, {"a": "b:c"}, (ServiceProgram("a", "b:c"),)),
        (
            ServiceProgramsField,
            {"a": {"entry_point": "b:c", "args": ["x", 1], "server": "gunicorn"}},
            (ServiceProgram("a", "b:c", args=("x", "1"), server="gunicorn"),),
        ),
        (
            ServiceProgramsField,
            {"a": {"entry_point": "b:c()", "server": "gunicorn"}},
            (ServiceProgram("a", "b:c", server="gunicorn", factory=True),),
        ),
        (ServiceEntryPointField, None, None),
        (ServiceEntryPointField, "a.b", "a.b"),
        (ServiceEntryPointField, "main.py", "main.py"),
        (ServiceEntryPointField, "a.b:c", "a.b:c"),
        (ServiceEntryPointField, "a.b:c()", "a.b:c()"),
        (ServiceEntryPointField, "server.py:App.run", "server.py:App.run"),
        (ServiceEntryPointField, "sub-dir/server.py:main", "sub-dir/server.py:main"),
        (HealthcheckOptionsField, None, HealthOptions()),
        (HealthcheckOptionsField, {"retries": 5}, HealthOptions(retries=5)),
        (HealthcheckOptionsField, HealthOptions(retries=5), HealthOptions(retries=5)),
        (ProbesField, {"readiness": "/r"}, DeclaredProbes(readiness="/r")),
        (ServiceHealthcheckField, None, None),
        (ServiceHealthcheckField, "a:b", "a:b"),
        (ServiceArgsField, None, ()),
        (ServiceArgsField, ["--a", "b c"], ("--a", "b c")),
        (ServiceLayersField, None, ()),
        (InterpreterField, "/usr/bin/python3.11", "/usr/bin/python3.11"),
        (PythonVersionField, "3.11.2", "3.11.2"),
        (GlibcVersionField, "2.36", "2.36"),
        (PlatformField, None, "linux/amd64"),
        (PlatformField, "linux/arm64", "linux/arm64"),
    ],
)
def test_good_values(field: type[Field], raw: Any, value: Any) -> None:
    found: Any = field(raw, ADDRESS).value
    assert (dict(found) if isinstance(value, dict) else found) == value


@pytest.mark.parametrize(
    "field, raw, text",
    [
        (
            PortsField,
            ["http"],
            "ports from 1 to 65535, such as 8000 or '53/udp', but contains 'http'",
        ),
        (PortsField, [0], "but contains 0"),
        (PortsField, [70000], "but contains 70000"),
        (PortsField, [8000, -1], "but contains -1"),
        (PortsField, [True], "but contains True"),
        (PortsField, [80.0], "but contains 80.0"),
        (PortsField, [None], "but contains None"),
        (PortsField, [""], "but contains ''"),
        (PortsField, [" 80"], "but contains ' 80'"),
        (PortsField, ["80/icmp"], "but contains '80/icmp'"),
        (PortsField, ["80\nRUN x"], "but contains"),
        (PortsField, ["80\n"], "but contains"),
        (PortsField, ["\uff18\uff10"], "but contains"),
        (PortsField, ["8000:8000"], "but contains '8000:8000'"),
        (PortsField, 8000, "a list of port numbers"),
        (PortsField, "8000", "a list of port numbers"),
        (UserField, "root", "must be numeric, such as '65532:65532', but was 'root'"),
        (UserField, "1000:staff", "must be numeric"),
        (UserField, "", "must be numeric"),
        (UserField, "-1", "must be numeric"),
        (UserField, "1000:", "must be numeric"),
        (UserField, "1\n", "must be numeric"),
        (UserField, "\uff11", "must be numeric"),
        (UserField, 1000, "1000"),
        (EnvField, {"A": "x\ny"}, "has an invalid variable 'A'"),
        (EnvField, {"A": "x\r"}, "has an invalid variable 'A'"),
        (EnvField, {"A": "\0"}, "has an invalid variable 'A'"),
        (EnvField, {"A B": ""}, "has an invalid variable 'A B'"),
        (EnvField, {"A=B": ""}, "has an invalid variable 'A=B'"),
        (EnvField, {"": ""}, "has an invalid variable ''"),
        (EnvField, {"1A": ""}, "has an invalid variable '1A'"),
        (EnvField, {"A\n": ""}, "has"),
        (EnvField, {"A": 1}, "A"),
        (EnvField, ["A=1"], "A=1"),
        (EnvField, {"PATH": "/x:$PATH"}, "expanded"),
        (EnvField, {"PATH": "${PATH}:/x"}, "expanded"),
        (WorkingDirField, "app", "plain absolute paths"),
        (WorkingDirField, "/", "plain absolute paths"),
        (VolumesField, ["/a/../b"], "plain absolute paths"),
        (VolumesField, ["/a\nb"], "plain absolute paths"),
        (WritableDirsField, ["/tmp/x"], "tmpfs"),
        (WritableDirsField, ["/run"], "tmpfs"),
        (StopSignalField, "TERM", "must be a signal"),
        (ServiceHealthcheckPathField, "health", "must be a path"),
        (ServiceHealthcheckPathField, "/a b", "must be a path"),
        (ServiceHealthcheckPathField, "/a\r\nX: y", "must be a path"),
        (ServiceHealthcheckPathField, "/{x}", "must be a path"),
        (ServiceProgramsField, "a:b", "a dictionary"),
        (ServiceProgramsField, {"image": "a:b"}, "'image'"),
        (ServiceProgramsField, {"../x": "a:b"}, "'../x'"),
        (ServiceProgramsField, {"a": "b c"}, "programs['a']"),
        (ServiceProgramsField, {"a": {"args": []}}, "programs['a']"),
        (ServiceProgramsField, {"a": {"entry_point": "b:c", "port": 1}}, "programs['a']"),
        (ServiceProgramsField, {"a": {"entry_point": "b:c", "server": "x"}}, "uvicorn, gunicorn"),
        (HealthcheckOptionsField, "30s", "a dictionary"),
        (HealthcheckOptionsField, {"interval": "30s"}, "`healthcheck_options` field in target"),
        (ProbesField, {"ready": "/r"}, "`probes` field in target"),
        (
            ServiceProgramsField,
            {"a": {"entry_point": "b:c", "probes": {"ready": "/r"}}},
            "`programs['a']['probes']` field in target",
        ),
        (ServiceEntryPointField, "a.b.", "must be `module:function`"),
        (ServiceEntryPointField, "a.b:", "must be `module:function`"),
        (ServiceEntryPointField, ":main", "must be `module:function`"),
        (ServiceEntryPointField, "a.b:main(1)", "must be `module:function`"),
        (ServiceEntryPointField, "a.b()", "must be `module:function`"),
        (ServiceEntryPointField, "a b:main", "must be `module:function`"),
        (ServiceEntryPointField, "a:b:c", "must be `module:function`"),
        (ServiceEntryPointField, "a:1st", "must be `module:function`"),
        (ServiceEntryPointField, "a:main\n", "must be `module:function`"),
        (ServiceHealthcheckField, "a.b", "must be `module:function`"),
        (ServiceArgsField, "--a", "--a"),
        (ServiceArgsField, [1], "1"),
        (RegistryInterpreterField, None, "interpreter"),
        (InterpreterField, "python3.11", "must be an absolute path in the image"),
        (InterpreterField, "usr/bin/python3", "must be an absolute path in the image"),
        (RegistryPythonVersionField, None, "python_version"),
        (PythonVersionField, "3.11", "must be a full version such as '3.11.2', but was '3.11'"),
        (PythonVersionField, "3.11.x", "must be a full version"),
        (PythonVersionField, "2.7.18", "must be a full version"),
        (PythonVersionField, ">=3.11.2", "must be a full version"),
        (RegistryGlibcVersionField, None, "glibc_version"),
        (GlibcVersionField, "2", "must look like '2.36'"),
        (GlibcVersionField, "glibc 2.36", "must look like '2.36'"),
        (PlatformField, "windows/amd64", "windows/amd64"),
        (PlatformField, "linux/386", "linux/386"),
        (PlatformField, "amd64", "amd64"),
        (UserField, "2147483648", "IDs up to 2147483647"),
        (UserField, "0:4294967295", "IDs up to 2147483647"),
        (EnvField, {"A": "x" * (1 << 17)}, "is too long: one string may have 131,071 bytes"),
        (EnvField, {f"A{n}": "x" * 100_000 for n in range(11)}, "all together 1,048,576"),
        (ServiceArgsField, ["a\0b"], "has a NUL character: 'a\\x00b'"),
        (ServiceArgsField, ["\u00fc" * (1 << 16)], "is too long"),
        (OciEntryPointField, ["/x", "\0"], "has a NUL character"),
        (OciHealthcheckField, ["\0"], "has a NUL character"),
        (RequiredImageReferenceField, None, "image"),
        (RequiredImageReferenceField, "debian:12\nRUN x", "must be the name of an image"),
        (RequiredImageReferenceField, "http://registry.example/x", "must be the name of an image"),
        (RequiredImageReferenceField, "a b", "must be the name of an image"),
        (RequiredImageReferenceField, "${x}", "must be the name of an image"),
        (DebianLockField, None, "lock"),
        *(
            (DebianUsersField, {name: ids}, f"has {name!r}: {ids!r}")
            for name, ids in (
                ("root", "5"),
                ("x", "0"),
                ("x", "65532"),
                ("x", "-1"),
                ("x", "1:y"),
                ("x", "1:2:3"),
                ("X", "1"),
                ("a:b", "1"),
                ("a\n", "1"),
                ("", "1"),
            )
        ),
        (DebianUsersField, {"a": "1", "b": "1:2"}, "has 'b'"),
        *(
            (field, path, "must be a path from the ")
            for field in (DebianLockField, DebianPackagesField)
            for path in ("/etc/x.json", "../x.json", "a/../../x", "-x", "a//b", "a\0", "x" * 300)
        ),
        *(
            (InterpreterField, path, "must be an absolute path in the image")
            for path in ("python", "/", "/usr/../x", "/usr/./x", "//x", "/a b", "/a\nb", "/x/", "")
        ),
        *(
            (PythonVersionField, version, "must be a full version")
            for version in ("3.11", "3.\u0661.2", "3.1111.1", "-3.1.1", "3.1.1\n")
        ),
        *(
            (GlibcVersionField, version, "must look like '2.36'")
            for version in ("3.1", "2.\u0661", "2.1111", "-2.1", "2")
        ),
    ],
)
def test_bad_values_are_refused_by_field_and_target(
    field: type[Field], raw: Any, text: str
) -> None:
    # Since Pants 2.31, a required field that is missing is a ValueError.
    with pytest.raises((InvalidFieldException, ValueError)) as error:
        field(raw, ADDRESS)
    assert "src/shop:app" in str(error.value)
    assert field.alias in str(error.value)
    assert text in str(error.value)
