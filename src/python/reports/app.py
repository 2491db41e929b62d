"""The reports' HTTP interface: send a table, read its summary as JSON or as Parquet."""

import logging
from dataclasses import dataclass
from threading import Lock

import pandas as pd  # type: ignore[import-untyped]

from reports.summary import TableError, read_csv, summarise, to_parquet, to_records
from servicekit import logs
from servicekit.lifecycle import Lifecycle
from servicekit.request import Request
from servicekit.response import Response
from servicekit.routes import Routes
from servicekit.server import Server
from servicekit.settings import Bytes, Connections, Settings

PARQUET = "application/vnd.apache.parquet"

_log = logging.getLogger("reports")


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Settings):
    max_body_bytes: Bytes = 32 << 20
    max_connections: Connections = 200


class Reports:
    """Keeps the last summary in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._last: pd.DataFrame | None = None

    def routes(self) -> Routes:
        routes = Routes()
        routes.add("POST", "/reports", self.create)
        routes.add("GET", "/reports/latest", self.latest)
        return routes

    def create(self, request: Request) -> Response:
        """POST /reports?by=COLUMN with a CSV table: its summary as JSON, one object a row."""
        by = request.parameter("by")
        if not by:
            return Response.text("say which column to group by: /reports?by=COLUMN\n", 400)
        try:
            frame = read_csv(request.body)
            summary = summarise(frame, by)
        except TableError as error:
            return Response.text(f"{error}\n", 422)
        with self._lock:
            self._last = summary
        _log.info("report made", extra={"fields": {"rows": len(frame), "groups": len(summary)}})
        return Response.json(to_records(summary))

    def latest(self, request: Request) -> Response:
        """GET /reports/latest: the last summary as a Parquet file."""
        with self._lock:
            summary = self._last
        if summary is None:
            return Response.text("no report yet: POST a table to /reports?by=COLUMN\n", 404)
        return Response(body=to_parquet(summary), content_type=PARQUET)


def serve(lifecycle: Lifecycle) -> int:
    settings = ReportSettings.from_environment()
    logs.configure(settings.log_level)
    return Server(Reports().routes(), settings, lifecycle).serve()
