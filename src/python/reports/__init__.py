"""Reports on tables: numpy, pandas and pyarrow behind the kit's own server."""
