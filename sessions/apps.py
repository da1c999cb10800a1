from django.apps import AppConfig


class SessionsConfig(AppConfig):
    """Labelled ``gpu_sessions``: django.contrib.sessions has the label ``sessions``.

    Management commands take the label: ``makemigrations gpu_sessions``.
    """

    name = "sessions"
    label = "gpu_sessions"
    verbose_name = "GPU sessions"
