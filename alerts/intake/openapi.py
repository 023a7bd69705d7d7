"""The OpenAPI 3.1 description of the way in for CAP documents; its examples are tried by a test."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from .capreading import MAX_BYTES, MAX_INFOS, MAX_POINTS

EXAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>example.1</identifier>
  <sender>control-room.example</sender>
  <sent>2026-01-15T10:00:00+01:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>
  <info>
    <language>de</language>
    <category>Fire</category>
    <event>Großbrand</event>
    <responseType>Shelter</responseType>
    <urgency>Immediate</urgency>
    <severity>Severe</severity>
    <certainty>Observed</certainty>
    <expires>2026-01-15T14:00:00+01:00</expires>
    <headline>Großbrand: Fenster und Türen schließen</headline>
    <description>In einer Lagerhalle brennt Kunststoff.</description>
    <instruction>Schließen Sie Fenster und Türen.
Bleiben Sie im Gebäude.</instruction>
    <area>
      <areaDesc>Zentrum</areaDesc>
      <circle>51.3348,12.3727 0.6</circle>
    </area>
  </info>
</alert>
"""
WITHOUT_SCOPE = EXAMPLE.replace("  <scope>Public</scope>\n", "")

REFUSALS = {
    "400": "The body is missing or broke off.",
    "401": "The token is missing, unknown or has ended.",
    "403": "The document goes beyond what is taken of this partner: status, district or kind of danger.",
    "405": "Another method than POST.",
    "409": "Another text was taken under this sender and identifier, or the alert has moved on meanwhile.",
    "413": f"The document is larger than {MAX_BYTES} bytes.",
    "415": "The content type is none of those named here, or the body is compressed.",
    "422": "The document is no valid CAP 1.2, is hostile, or refers to nothing that is known here.",
    "429": "Too many documents of this partner or requests from this address.",
    "503": "The document could not be kept just now.",
}


def described() -> dict[str, Any]:
    """The description as JSON values."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Belfry: CAP documents in",
            "version": "1.0.0",
            "description": (
                "Hand a CAP 1.2 document to the city's duty desk. It becomes a draft that an officer completes and "
                "submits and a second officer approves; nothing is released by handing it in. Sending the same "
                "document again is safe: sender and identifier name it. "
                f"At most {MAX_BYTES} bytes, {MAX_INFOS} info blocks and {MAX_POINTS} points; no document type, no "
                "entities, no processing instructions."
            ),
        },
        "servers": [{"url": settings.ADDRESS}],
        "paths": {"/intake/cap": {"post": _post()}},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Taken": _taken(), "Problem": _problem()},
        },
    }


def _post() -> dict[str, Any]:
    body = {"schema": {"type": "string"}, "example": EXAMPLE}
    refused = {"description": "", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
    waits = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    responses: dict[str, Any] = {
        "201": _answer("The document has become a draft."),
        "200": _answer("The same document was taken before; nothing has changed."),
    }
    for status, words in REFUSALS.items():
        responses[status] = {
            **refused,
            "description": words,
            **({"headers": waits} if status in {"429", "503"} else {}),
        }
    return {
        "operationId": "takeCap",
        "summary": "Hand in a CAP 1.2 document",
        "security": [{"token": []}],
        "parameters": [
            {
                "name": "Accept-Language",
                "in": "header",
                "description": "In which language faults are told: de or en.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(("application/cap+xml", "application/xml", "text/xml"), body),
        },
        "responses": responses,
    }


def _answer(words: str) -> dict[str, Any]:
    where = {"Location": {"description": "The draft at the desk.", "schema": {"type": "string", "format": "uri"}}}
    return {"description": words, "headers": where, "content": {"application/json": {"schema": _ref("Taken")}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _taken() -> dict[str, Any]:
    words = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "required": ["draft", "address", "sender", "identifier", "missing", "left_out"],
        "properties": {
            "draft": {"type": "integer", "description": "The number of the draft."},
            "address": {"type": "string", "format": "uri", "description": "Where officers find it."},
            "sender": {"type": "string"},
            "identifier": {"type": "string"},
            "missing": {**words, "description": "What an officer must still add before it can be submitted."},
            "left_out": {**words, "description": "What of the document a draft can't carry."},
        },
    }


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "faults"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "faults": {"type": "array", "items": {"type": "string"}, "description": "Every fault, in plain words."},
        },
    }
