"""Traces of requests by OpenTelemetry: off unless asked for, and without addresses in them."""

from typing import TYPE_CHECKING

from fastapi.telemetry import TelemetryConfig

from serving.errors import ServingError
from serving.web_api.logs import hide_addresses

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

TEXTS = ("url.path", "url.query")
"""Attributes in which FastAPI writes down what was asked: ids stand in them."""

OFF: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""Our own metrics count requests; without a collector the rest is only cost."""


class TracesNotInstalledError(ServingError):
    """What sends traces is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "BATON_TRACES=true needs two packages that Baton does not bring: pip install "
            "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http. Or leave it off."
        )


def build_provider(exporter: "SpanExporter") -> "TracerProvider":
    """Build what makes spans, hides the addresses in them, and hands them to an exporter."""
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class Hiding(SpanProcessor):
        """Hides addresses in a span as it begins."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
            """Replace what looks like an address."""
            for name in TEXTS:
                value = (span.attributes or {}).get(name)
                if isinstance(value, str):
                    span.set_attribute(name, hide_addresses(value))

    provider = TracerProvider(resource=Resource.create({"service.name": "baton"}))
    provider.add_span_processor(Hiding())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def build_telemetry(*, traces: bool) -> TelemetryConfig:
    """Build FastAPI's telemetry: off, or traces sent where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says.

    Raises
    ------
    TracesNotInstalledError
        If traces are asked for, and what sends them is not installed.
    """
    if not traces:
        return OFF
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return {**OFF, "tracing": True, "tracer_provider": build_provider(OTLPSpanExporter())}
    except ImportError:
        raise TracesNotInstalledError from None
