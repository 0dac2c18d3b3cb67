"""What was measured, a line of JSON each, and the medians of it."""

import json
import statistics


class Results:
    def __init__(self, path):
        self.path, self.rows = path, []

    def record(self, what, system, x, **figures):
        """`x` is what the figure depends on: connections, entries, nodes."""
        row = {"what": what, "system": system, "x": x, **figures}
        self.rows.append(row)
        with open(self.path, "a") as file:
            file.write(json.dumps(row) + "\n")

    def load(self):
        with open(self.path) as file:
            self.rows = [json.loads(line) for line in file]

    def all(self, what, system, x=None, field="rate", entries=None):
        return [
            row[field] for row in self.rows
            if row["what"] == what and row["system"] == system and row.get(field) is not None
            and (x is None or row["x"] == x) and (entries is None or row.get("entries") == entries)
        ]

    def median(self, *key, **more):
        values = self.all(*key, **more)
        return statistics.median(values) if values else None

    def xs(self, what, system):
        return sorted({row["x"] for row in self.rows if row["what"] == what and row["system"] == system})

    def sizes(self, what):
        return sorted({row["entries"] for row in self.rows if row["what"] == what and row.get("entries")})

    def systems(self, what):
        return list(dict.fromkeys(row["system"] for row in self.rows if row["what"] == what))
