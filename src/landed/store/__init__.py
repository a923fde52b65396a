"""The only place with SQL: schema, migrations, queries, and the embedded PostgreSQL. A file per thing that is kept."""
