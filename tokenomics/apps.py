from django.apps import AppConfig


class TokenomicsConfig(AppConfig):
    name = "tokenomics"
