"""The durable truth: tables, migrations, the group-commit writer, the journal."""
