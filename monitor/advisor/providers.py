"""The three providers of models: how each is asked, and where in its answer the words stand.

Rule 1: the key goes into a header and nowhere else: an address is logged by whoever passes it on.
Rule 2: of an answer only what is needed is decoded, with its type; all else is passed over unread.

Gemini: POST v1beta/models/MODEL:generateContent. Anthropic: POST v1/messages. OpenAI: POST
v1/responses. Each takes a JSON schema that its answer then follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from shared.settings import AiSignal

Count = Annotated[int, Meta(ge=0, le=10**9)]

ANTHROPIC_VERSION: Final = "2023-06-01"


class Said(Struct, frozen=True):
    """The words of an answer, "" where it has none, and the tokens it was charged for."""

    text: str
    tokens_in: int
    tokens_out: int


class Provider(Struct, frozen=True):
    """base: of its addresses. body: of a question, from settings, instruction, figures, schema."""

    base: str
    path: Callable[[str], str]
    headers: Callable[[str], dict[str, str]]
    body: Callable[[AiSignal, str, str, dict[str, Any]], dict[str, Any]]
    read: Callable[[bytes], Said]


def is_key(key: str) -> bool:
    """Whether it can stand in a header at all: one word of printable ASCII."""
    return 8 <= len(key) <= 512 and key.isascii() and key.isprintable() and " " not in key


def read_answer(provider: Provider, raw: bytes) -> Said | None:
    """None where the answer is none of this provider's."""
    try:
        return provider.read(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None


def _warmth(settings: AiSignal, into: dict[str, Any]) -> dict[str, Any]:
    """With the temperature, unless it is switched off: some models refuse to be given one."""
    return into if settings.temperature < 0.0 else into | {"temperature": settings.temperature}


# Gemini.


class _Part(Struct, frozen=True):
    text: str = ""
    thought: bool = False


class _Content(Struct, frozen=True):
    parts: tuple[_Part, ...] = ()


class _Candidate(Struct, frozen=True):
    content: _Content = _Content()


class _GeminiUsage(Struct, frozen=True, rename="camel"):
    prompt_token_count: Count = 0
    candidates_token_count: Count = 0
    thoughts_token_count: Count = 0


class _GeminiAnswer(Struct, frozen=True, rename="camel"):
    candidates: tuple[_Candidate, ...] = ()
    usage_metadata: _GeminiUsage = _GeminiUsage()


_gemini_answers: Final = msgspec.json.Decoder(_GeminiAnswer)


def _gemini_body(
    settings: AiSignal, instruction: str, figures: str, schema: dict[str, Any]
) -> dict[str, Any]:
    # Its schema is a part of OpenAPI's: it knows no additionalProperties.
    known = {name: value for name, value in schema.items() if name != "additionalProperties"}
    form = {
        "maxOutputTokens": settings.max_tokens,
        "responseMimeType": "application/json",
        "responseSchema": known | {"propertyOrdering": list(schema["properties"])},
    }
    return {
        "systemInstruction": {"parts": [{"text": instruction}]},
        "contents": [{"role": "user", "parts": [{"text": figures}]}],
        "generationConfig": _warmth(settings, form),
    }


def _read_gemini(raw: bytes) -> Said:
    answer = _gemini_answers.decode(raw)
    parts = answer.candidates[0].content.parts if answer.candidates else ()
    usage = answer.usage_metadata
    return Said(
        "".join(part.text for part in parts if not part.thought),
        usage.prompt_token_count,
        usage.candidates_token_count + usage.thoughts_token_count,
    )


# Anthropic.


class _Block(Struct, frozen=True):
    type: str = ""
    text: str = ""


class _TokenUsage(Struct, frozen=True):
    input_tokens: Count = 0
    output_tokens: Count = 0


class _AnthropicAnswer(Struct, frozen=True):
    content: tuple[_Block, ...] = ()
    usage: _TokenUsage = _TokenUsage()


_anthropic_answers: Final = msgspec.json.Decoder(_AnthropicAnswer)


def _anthropic_body(
    settings: AiSignal, instruction: str, figures: str, schema: dict[str, Any]
) -> dict[str, Any]:
    asked = {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "system": instruction,
        "messages": [{"role": "user", "content": figures}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }
    return _warmth(settings, asked)


def _read_anthropic(raw: bytes) -> Said:
    answer = _anthropic_answers.decode(raw)
    text = "".join(block.text for block in answer.content if block.type == "text")
    return Said(text, answer.usage.input_tokens, answer.usage.output_tokens)


# OpenAI.


class _Item(Struct, frozen=True):
    type: str = ""
    content: tuple[_Block, ...] | None = None


class _OpenAiAnswer(Struct, frozen=True):
    output: tuple[_Item, ...] = ()
    usage: _TokenUsage | None = None


_openai_answers: Final = msgspec.json.Decoder(_OpenAiAnswer)


def _openai_body(
    settings: AiSignal, instruction: str, figures: str, schema: dict[str, Any]
) -> dict[str, Any]:
    form = {"type": "json_schema", "name": "opinion", "strict": True, "schema": schema}
    asked = {
        "model": settings.model,
        "max_output_tokens": settings.max_tokens,
        "instructions": instruction,
        "input": figures,
        "store": False,
        "text": {"format": form},
    }
    return _warmth(settings, asked)


def _read_openai(raw: bytes) -> Said:
    answer = _openai_answers.decode(raw)
    blocks = [
        block for item in answer.output if item.type == "message" for block in item.content or ()
    ]
    usage = answer.usage or _TokenUsage()
    text = "".join(block.text for block in blocks if block.type == "output_text")
    return Said(text, usage.input_tokens, usage.output_tokens)


PROVIDERS: Final[dict[str, Provider]] = {
    "gemini": Provider(
        "https://generativelanguage.googleapis.com",
        lambda model: f"/v1beta/models/{model}:generateContent",
        lambda key: {"x-goog-api-key": key},
        _gemini_body,
        _read_gemini,
    ),
    "anthropic": Provider(
        "https://api.anthropic.com",
        lambda _model: "/v1/messages",
        lambda key: {"x-api-key": key, "anthropic-version": ANTHROPIC_VERSION},
        _anthropic_body,
        _read_anthropic,
    ),
    "openai": Provider(
        "https://api.openai.com",
        lambda _model: "/v1/responses",
        lambda key: {"Authorization": f"Bearer {key}"},
        _openai_body,
        _read_openai,
    ),
}
