"""What routes ask for: the moment, the settings, the champion."""

from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from features import clock
from serving.champion import Champion, ModelHolder
from serving.errors import NotJsonError
from serving.settings import ServingSettings


async def get_now() -> datetime:
    """Read the wall clock, once per request."""
    return clock.now()


async def get_settings(request: Request) -> ServingSettings:
    """Give the settings the server was started with."""
    settings: ServingSettings = request.app.state.settings
    return settings


async def get_champion_holder(request: Request) -> ModelHolder:
    """Give the holder of the champion."""
    holder: ModelHolder = request.app.state.champion_holder
    return holder


async def get_champion(request: Request) -> Champion:
    """Give the champion in use.

    Raises
    ------
    NoChampionError
        If no model could be loaded yet.
    """
    holder: ModelHolder = request.app.state.champion_holder
    return holder.get_champion()


Now = Annotated[datetime, Depends(get_now)]
Settings = Annotated[ServingSettings, Depends(get_settings)]
ChampionHolder = Annotated[ModelHolder, Depends(get_champion_holder)]
InUse = Annotated[Champion, Depends(get_champion)]


async def check_json(request: Request) -> None:
    """Check that the body is declared as JSON, which no plain web form can do.

    Raises
    ------
    NotJsonError
        If it is not.
    """
    declared = request.headers.get("content-type", "")
    media_type = declared.partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise NotJsonError(f"Content-Type: {declared}" if declared else "no Content-Type")


def is_over_tls(request: Request) -> bool:
    """Tell whether people reach the server by TLS: itself, or by a proxy as ``BATON_PUBLIC_URL`` says."""
    settings: ServingSettings = request.app.state.settings
    own = urlsplit(settings.public_url)
    is_public = own.scheme == "https" and own.netloc == request.headers.get("host")
    return request.url.scheme == "https" or is_public


def prefers_html(request: Request) -> bool:
    """Tell whether the caller would rather read a page than JSON, as browsers say they do."""
    accepted = request.headers.get("accept", "")
    position = accepted.find("text/html")
    json_position = accepted.find("application/json")
    return position >= 0 and (json_position < 0 or position < json_position)
