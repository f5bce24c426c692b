"""What `serve` counts and measures, as Prometheus reads it."""

import re

import pytest
from hostile_bodies import image_file
from prediction_client import NAME, send

from kerasexp.environment import missing_of

pytestmark = pytest.mark.skipif(
    bool(missing_of("serve")), reason="the extra is not installed: pip install 'kerasexp[serve]'"
)


def test_metrics(client):
    send(client, image_file(), "image/png")
    send(client, b"1", "image/png")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for name in (
        "requests_total",
        "request_seconds_count",
        "batch_images_bucket",
        "model_seconds_sum",
        "waiting_images",
    ):
        assert re.search(rf'^kerasexp_{name}{{.*model="{NAME}".*}} [\d.e+-]+$', answer.text, re.MULTILINE), name
    assert re.search(r'^kerasexp_requests_total{.*status="422"} [1-9]', answer.text, re.MULTILINE)
    assert f'kerasexp_waiting_images{{model="{NAME}"}} 0.0' in answer.text


def test_metrics_of_a_class_whose_name_is_no_utf_8():
    from kerasexp.serving.server_metrics import ServerMetrics

    metrics = ServerMetrics()
    metrics.answers("m", [{"class": "caf\udce9"}, {"labels": [{"class": "\udce9"}]}])
    assert 'class="caf?"' in metrics.text().decode() and 'class="?"' in metrics.text().decode()
