"""An execution service in front of another, for clients and workers that name outputs differently.

Usage: output_paths PORT TARGET

Pants names the outputs of a command as in version 2.0 of the Remote Execution API, in
`output_directories` and `output_files`. buildbox 1.4 only reads `output_paths`, from version 2.1,
and would return no outputs. So this service adds `output_paths`, and stores results under the
client's digest of the action. Everything else passes unchanged. It runs on the interpreter of
BuildGrid's environment, whose protocol files it uses.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as api
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as services


class Translator(
    services.ExecutionServicer, services.CapabilitiesServicer, services.ActionCacheServicer
):
    """Forwards executions to `channel`, with commands that have `output_paths`."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._execution = services.ExecutionStub(channel)
        self._storage = services.ContentAddressableStorageStub(channel)
        self._results = services.ActionCacheStub(channel)
        self._capabilities = services.CapabilitiesStub(channel)

    def GetCapabilities(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._capabilities.GetCapabilities(request)

    def GetActionResult(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return self._results.GetActionResult(request)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    def Execute(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        named = api.Digest()
        named.CopyFrom(request.action_digest)
        try:
            request.action_digest.CopyFrom(self._translated(named))
        except _Missing as missing:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the blob {missing} is missing")
        for operation in _passed_on(self._execution.Execute(request), context):
            response = api.ExecuteResponse()
            if operation.done and operation.response.Unpack(response):
                self._keep(named, response)
            yield operation

    def WaitExecution(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        yield from _passed_on(self._execution.WaitExecution(request), context)

    def _keep(self, action: Any, response: Any) -> None:
        if response.status.code == 0 and response.result.exit_code == 0:
            self._results.UpdateActionResult(
                api.UpdateActionResultRequest(action_digest=action, action_result=response.result)
            )

    def _translated(self, digest: Any) -> Any:
        action = api.Action.FromString(self._read(digest))
        command = api.Command.FromString(self._read(action.command_digest))
        outputs = [*command.output_files, *command.output_directories]
        command.output_paths.extend(sorted(outputs))
        action.command_digest.CopyFrom(self._write(command.SerializeToString(deterministic=True)))
        return self._write(action.SerializeToString(deterministic=True))

    def _read(self, digest: Any) -> bytes:
        answer = self._storage.BatchReadBlobs(api.BatchReadBlobsRequest(digests=[digest]))
        (response,) = answer.responses
        if response.status.code != 0:
            raise _Missing(digest.hash)
        return bytes(response.data)

    def _write(self, data: bytes) -> Any:
        digest = api.Digest(hash=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        blob = api.BatchUpdateBlobsRequest.Request(digest=digest, data=data)
        self._storage.BatchUpdateBlobs(api.BatchUpdateBlobsRequest(requests=[blob]))
        return digest


class _Missing(Exception):
    """A blob that the server lacks."""


def _passed_on(answers: Any, context: grpc.ServicerContext) -> Iterator[Any]:
    context.add_callback(answers.cancel)
    try:
        yield from answers
    except grpc.RpcError as error:
        context.abort(error.code(), error.details())


def main(port: str, target: str) -> None:
    """See the module's text."""
    server = grpc.server(ThreadPoolExecutor(64))
    servicer = Translator(grpc.insecure_channel(target))
    services.add_ExecutionServicer_to_server(servicer, server)
    services.add_CapabilitiesServicer_to_server(servicer, server)
    services.add_ActionCacheServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
