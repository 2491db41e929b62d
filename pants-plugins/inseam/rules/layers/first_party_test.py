from __future__ import annotations

from pants.testutil.rule_runner import RuleRunner

from inseam.compat import CALL_BY_NAME
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest
from inseam.rules.layers.service import ServiceRequest
from inseam.rules.rule_testing import set_options, tar_files
from inseam.rules.service_testing import (
    SERVICE,
    SHOP,
    app,
    dependencies,
    fixtures,
    refused,
    service_build,
    tar,
    write_plug,
)

module_runner, runner = fixtures


def test_resources_are_part_of_the_code(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/shop/BUILD": "resources(name='pages', sources=['*.html'])\n"
            + service_build(sources=[":pages"]),
            "src/shop/a.html": "<p>",
        }
    )
    assert tar_files(app(runner))["app/shop/a.html"] == b"<p>"


def test_large_resources_are_in_a_layer_below_the_code_whatever_their_names(
    runner: RuleRunner,
) -> None:
    set_options(runner, "--inseam-large-wheel=1000")
    names = ["large.bin", "[large].bin", "small.txt", "[small].txt"]
    runner.write_files(
        {
            "src/shop/BUILD": "resources(name='data', sources=['*.bin', '*.txt'])\n"
            + service_build(sources=[":data"]),
            **{f"src/shop/{name}": "x" * (2000 if "large" in name else 5) for name in names},
        }
    )
    layers = dependencies(runner).layers
    assert [layer.name for layer in layers] == ["deps", "data"]
    data = tar_files(tar(runner, layers[1]))
    assert set(data) == {"app/shop/large.bin", "app/shop/[large].bin"}
    code = tar_files(app(runner))
    assert {"app/shop/small.txt", "app/shop/[small].txt"} <= set(code)
    assert not set(code) & set(data)


def test_files_lie_below_the_working_directory(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "src/shop/BUILD": service_build(dependencies=[":conf", ":moved"])
            + "files(name='conf', sources=['conf/*'])\n"
            "relocated_files(name='moved', files_targets=[':conf'], src='src/shop/conf',"
            " dest='etc')\n",
            "src/shop/conf/a.txt": "text",
        }
    )
    code = runner.request(CodeLayers, [CodeLayersRequest(ServiceRequest(SHOP))])
    found = {
        path: text for one in code.layers for path, text in tar_files(tar(runner, one)).items()
    }
    assert found["app/src/shop/conf/a.txt"] == b"text"
    assert found["app/etc/a.txt"] == b"text"


def test_a_module_that_the_rust_parser_overlooks_is_named(runner: RuleRunner) -> None:
    write_plug(runner, **{"src/shop/BUILD": SERVICE})
    runner.write_files(
        {"src/shop/server.py": "import greet, plug.impl, os, words\ndef main(): ...\n"}
    )
    set_options(runner, "--python-infer-use-rust-parser")
    why = "shop/server.py, line 1, imports plug.impl as one of several"
    if CALL_BY_NAME:
        # Newer versions of Pants have no other parser.
        refused(runner, why, "in a statement of its own.")
        return
    refused(runner, why, "in a statement of its own, or set [python-infer].use_rust_parser")
    set_options(runner, "--no-python-infer-use-rust-parser")
    assert "app/shop/server.py" in tar_files(app(runner))
