"""Which catalogue the settings ask for."""

from __future__ import annotations

from api.settings import ModelBackend, ModelSettings, Settings
from serving.catalogue.base import Catalogue
from serving.catalogue.defaults import default_catalogue
from serving.catalogue.load import load_catalogue


def read_catalogue(settings: Settings) -> Catalogue:
    """The user's own catalogue, or the built-in one of the chosen backend. Raises CatalogueError."""
    models = settings.models
    if models.models_file is not None:
        return load_catalogue(models.models_file, variables=settings.variables)
    return default_catalogue(
        models.model_backend.value,
        base_url=_base_url(models),
        api_key=models.upstream_api_key.get_secret_value().strip() or None,
        model=models.upstream_model or None,
    )


def _base_url(models: ModelSettings) -> str:
    addresses = {
        ModelBackend.MOCK: models.mock_base_url,
        ModelBackend.RAY: models.ray_base_url,
        ModelBackend.VLLM: models.vllm_base_url,
        ModelBackend.OPENAI: models.upstream_base_url,
    }
    address = addresses[models.model_backend]
    if address is None:
        raise ValueError("MODEL_BACKEND=openai needs UPSTREAM_BASE_URL")
    return address
