"""A catalog of books, served by FastAPI under uvicorn."""
