"""The files that take a model live on TensorFlow Serving: compose, Kubernetes, Prometheus and Grafana.

They lie here as they are used, and `deployment` fills them in for one base path. The command `deploy` imports it.
"""

from toolkit.public_names import on_first_use

_PUBLIC = {
    "Deployment": "serving.deploy.deployment",
}

__all__ = sorted(_PUBLIC)
__getattr__, __dir__ = on_first_use(__name__, _PUBLIC)
