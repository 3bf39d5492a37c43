"""Deployment files for TensorFlow Serving: compose, Kubernetes, Prometheus and Grafana.

The files here work as they are, and `deployment` fills them in for a base path. The command `deploy` imports this room.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Deployment": "serving.deploy.deployment",
}

__all__, __getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
