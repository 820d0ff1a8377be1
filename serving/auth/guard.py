"""What a route says of who may ask it: ``dependencies=[require("scores:read")]``, and nothing else.

A route without such a line keeps the app from being built.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from features import clock
from serving.auth.authenticator import Authenticator, check_own_page
from serving.auth.errors import NotAllowedError, UnguardedRouteError
from serving.auth.principals import ANYONE_HERE, Principal
from serving.auth.roles import Permission
from serving.errors import TokenRefusedError
from serving.web_api.openapi import describe_problems

# For the description of the API only: the authenticator reads the header itself.
_bearer = HTTPBearer(auto_error=False, description="A key, as `baton keys create` makes it.")
Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


class Guard:
    """Stands before a route; with whom it lets in kept at ``request.state.principal``."""

    permission: Permission | None = None


class RequirePermission(Guard):
    """Lets in whoever may do one thing."""

    def __init__(self, permission: Permission, *, here: bool = False, acts: bool = False) -> None:
        self.permission = permission
        self.here = here
        self.acts = acts

    async def __call__(self, request: Request, sent: Sent) -> None:  # noqa: ARG002 - described only
        """Find who asks, and whether they may.

        Raises
        ------
        TokenRefusedError
            If the request does not say who asks, or not rightly.
        NotAllowedError
            If they may not.
        TooOftenError
            If they ask too often.
        ForeignPageError
            If a page of another site has a browser do something with its session.
        """
        authenticator: Authenticator = request.app.state.authenticator
        if self.here and request.app.state.settings.is_local:
            request.state.principal = ANYONE_HERE
            return
        principal = await authenticator.find(request, clock.now())
        if principal is None:
            authenticator.refused["unknown"] += 1
            raise TokenRefusedError(sent=False)
        if self.permission not in principal.permissions:
            authenticator.refused["not_allowed"] += 1
            raise NotAllowedError(str(self.permission), principal.role)
        if self.acts and principal.csrf_token is not None:
            check_own_page(request)
        authenticator.check_rate(principal)
        request.state.principal = principal
        request.state.caller = principal.actor


class AllowAnyone(Guard):
    """Lets everybody in, for a reason."""

    def __init__(self, because: str) -> None:
        self.because = because

    async def __call__(self, request: Request) -> None:
        """Ask nothing."""
        request.state.principal = None


def require(permission: Permission) -> Dependency:
    """Let in whoever has a permission: ``APIRouter(dependencies=[require("scores:read")])``."""
    return Dependency(RequirePermission(permission))


def allow_acting(permission: Permission) -> Dependency:
    """As `require`, for a GET that leaves something behind: no page of another site may have it sent."""
    return Dependency(RequirePermission(permission, acts=True))


def require_unless_local(permission: Permission) -> Dependency:
    """Let in anybody on a server that only this machine can reach; elsewhere as `require` does.

    For what tells nothing about people: figures, the manual.
    """
    return Dependency(RequirePermission(permission, here=True))


def allow_anyone(because: str) -> Dependency:
    """Let in everybody, and say why."""
    return Dependency(AllowAnyone(because))


async def get_caller(request: Request) -> Principal:
    """Give whoever asks, as the route's guard found them."""
    principal: Principal = request.state.principal
    return principal


Caller = Annotated[Principal, Depends(get_caller)]


def _walk(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _walk(inner)


def find_guards(route: RouteContext) -> list[Guard]:
    """Find who stands before a route."""
    if not isinstance(route.original_route, APIRoute):
        return []
    calls: list[object] = [one.call for one in _walk(route.dependant)]
    return [call for call in calls if isinstance(call, Guard)]


def list_routes(app: FastAPI) -> list[RouteContext]:
    """List every route of an app, those of its routers too."""
    return list(iter_route_contexts(app.routes))


def check_guards(app: FastAPI) -> None:
    """Check that every route has one guard.

    Raises
    ------
    UnguardedRouteError
        If one has none, or two that might disagree.
    """
    bare = [str(route.path) for route in list_routes(app) if len(find_guards(route)) != 1]
    if bare:
        raise UnguardedRouteError(bare)


def describe_guards(app: FastAPI) -> None:
    """Have the app's description say what each route asks for, and how it may refuse."""
    describe: Callable[[], dict[str, Any]] = app.openapi

    def describe_with_guards() -> dict[str, Any]:
        description = describe()
        for route in list_routes(app):
            permission = next((guard.permission for guard in find_guards(route)), None)
            described = description["paths"].get(route.path_format, {})
            for method in route.methods or ():
                operation = described.get(method.lower())
                if operation is not None and permission is not None:
                    operation["x-permission"] = permission
                    for status, words in describe_problems(401, 403, 429).items():
                        operation["responses"].setdefault(str(status), words)
        return description

    app.openapi = describe_with_guards  # type: ignore[method-assign]
