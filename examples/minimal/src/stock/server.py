import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.greeting import greet

PORT = int(os.environ.get("PORT", "8080"))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path in ("/", "/health")
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(greet("stock").encode())


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
