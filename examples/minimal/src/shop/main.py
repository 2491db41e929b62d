from common.greeting import greet
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index() -> str:
    return greet("shop")


@app.get("/health")
def health() -> str:
    return "ok"
