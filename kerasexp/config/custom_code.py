"""Sections that name a user's own code in place of a name of ours, with its keyword arguments as keys.

The code is not run: keys are checked against its signature, which is read from the source, and defaults are filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from kerasexp.config.code_reference import CodeReference, code_files, digest_of, find_code, is_code
from kerasexp.config.code_signature import Parameter, Signature, read_signature
from kerasexp.config.section_base import Section
from kerasexp.errors import closest, listing

WHERE = "a file beside this one (my_file.py:function), package.module:function, or a name that an installed package registers"
CODE_PATTERN = r":[A-Za-z_]\w*$"
# The type of the errors whose messages are complete.
ERROR = "custom_code"
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class CodeKind:
    """What a function of one kind is given besides its keys.

    Attributes:
        name: of the kind, as in `code_reference.GROUPS`.
        given: names of the first parameters, which the package passes.
        first: names of the first parameter by which such a function differs from a factory, which is given nothing; None if
            there are no factories of this kind.
    """

    name: str
    given: tuple[str, ...]
    first: tuple[str, ...] | None = None

    def leading(self, signature: Signature) -> int:
        """Return how many of the first parameters are given by the package.

        Raises:
            ValueError: the function does not take them.
        """
        positional = signature.positional
        if self.first is not None and (not positional or positional[0] not in self.first):
            return 0
        if len(positional) < len(self.given):
            raise ValueError(
                f"takes {len(positional)} positional parameters; a {self.name} is given {listing(self.given)}"
            )
        return len(self.given)


class CustomCode(Section):
    """A function of a user's own, and its keyword arguments as further keys."""

    model_config = ConfigDict(extra="allow")
    code_kind: ClassVar[CodeKind]
    name: str = Field(
        description=f"The function: {WHERE}. Its keyword arguments are further keys.",
        json_schema_extra={"pattern": CODE_PATTERN},
    )
    _digest: str = PrivateAttr("")

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, value: Any) -> Any:
        return _with_defaults(value, cls) if isinstance(value, dict) else value

    def model_post_init(self, context: Any) -> None:
        self._digest = digest_of(code_files(self.reference))

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments, defaults included."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def reference(self) -> CodeReference:
        """Where the function is defined."""
        return find_code(self.name, self.code_kind.name)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the code, as it was when the experiment was read."""
        return self._digest

    def signature(self) -> Signature:
        """Return the signature of the function."""
        return signature_of(self.reference)

    @property
    def paths(self) -> list[str]:
        """The files and folders among the arguments: those of parameters with the annotation `Path`."""
        keys = {key for key, parameter in self.signature().parameters.items() if parameter.is_path}
        return [value for key, value in self.arguments.items() if key in keys and isinstance(value, str)]

    def is_given(self) -> bool:
        """Return whether the function is given what the package computes, and is no factory."""
        return self.code_kind.leading(self.signature()) > 0


class CustomModel(CustomCode):
    """A network of one's own: `build(images, *, ...)`, from uint8 images [n, height, width, channels] to features [n, f]."""

    code_kind: ClassVar[CodeKind] = CodeKind("model", ("images",))


class CustomSource(CustomCode):
    """A source of one's own: `load(*, ...)`, which returns images and labels, or splits of these."""

    code_kind: ClassVar[CodeKind] = CodeKind("source", ())


class CustomAugmentation(CustomCode):
    """An augmentation of one's own: `change(images, seeds, *, ...)`, or a Keras layer, or a function that returns one."""

    code_kind: ClassVar[CodeKind] = CodeKind("augmentation", ("images", "seeds"), ("images",))


class CustomMetric(CustomCode):
    """A metric of one's own: `metric(predictions, *, ...)`, a number, or None where it is not defined."""

    code_kind: ClassVar[CodeKind] = CodeKind("metric", ("predictions",))


class CustomCallback(CustomCode):
    """A callback of one's own: a class of Keras callbacks, or a function that returns one."""

    code_kind: ClassVar[CodeKind] = CodeKind("callback", ())


def signature_of(reference: CodeReference) -> Signature:
    """Return the signature of a function; raise ValueError if its file cannot be read or does not define it."""
    return read_signature(code_files(reference)[reference.file.name], reference.file, reference.function)


def _with_defaults(raw: dict[str, Any], section: type[CustomCode]) -> dict[str, Any]:
    """Return the keys of a section with the defaults of the function.

    Raises:
        ValidationError: with every key that the function does not take, or takes with other values.
    """
    name, kind, title = raw.get("name"), section.code_kind, section.__name__
    if not isinstance(name, str):
        return raw
    try:
        reference = find_code(name, kind.name)
        called = f"{reference.file.name}:{reference.function}"
        signature = signature_of(reference)
        try:
            taken = signature.keys(kind.leading(signature))
        except ValueError as error:
            raise ValueError(f"{called} {error}") from None
        if twice := [key for key in section.model_fields if key in taken]:
            raise ValueError(
                f"{called} has a parameter '{twice[0]}', which is a key of this section already; rename it"
            )
    except ValueError as error:
        raise _invalid(title, [_error(str(error), ("name",), name)]) from None
    given = {key: value for key, value in raw.items() if key not in section.model_fields}
    allowed = [*taken, *(key for key in section.model_fields if key != "name")]
    errors = [
        _error(
            f"{called} has no key '{key}'{closest(key, allowed)}; allowed: {listing(allowed, 30) or 'none'}",
            (key,),
            value,
        )
        for key, value in given.items()
        if key not in taken and not signature.takes_any
    ]
    result = {key: value for key, value in raw.items() if key in section.model_fields}
    for key, parameter in taken.items():
        if key in given:
            errors += _type_errors(key, parameter, given[key])
            result[key] = given[key]
        elif parameter.required:
            written = f" ({parameter.written})" if parameter.written else ""
            errors.append(_error(f"{called} needs the key '{key}'{written}", (), raw))
        elif parameter.readable:
            result[key] = parameter.default
    if errors:
        raise _invalid(title, errors)
    return result | {key: value for key, value in given.items() if key not in taken}


def _type_errors(key: str, parameter: Parameter, value: Any) -> list[InitErrorDetails]:
    try:
        TypeAdapter(parameter.type, config=_STRICT).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        wanted = (
            parameter.written if get_origin(parameter.type) is Union else f"{first['msg'][0].lower()}{first['msg'][1:]}"
        )
        place = tuple(part for part in first["loc"] if get_origin(parameter.type) is not Union)
        text = repr(first["input"] if place else value)
        text = text if len(text) <= 60 else f"{text[:57]}..."
        needed = f"allowed: {wanted}" if get_origin(parameter.type) is Union else wanted
        return [_error(f"got {text}; {needed}", (key, *place), value)]
    return []


def _error(message: str, place: tuple, value: Any) -> InitErrorDetails:
    # In a template of pydantic's, braces stand for values.
    return InitErrorDetails(type=PydanticCustomError(ERROR, "{text}", {"text": message}), loc=place, input=value)


def _invalid(title: str, errors: list[InitErrorDetails]) -> ValidationError:
    return ValidationError.from_exception_data(title, errors)


@dataclass(frozen=True)
class OrCustom:
    """Annotation of a value that may also be code of a user's own; what is no reference is validated as before.

    Attributes:
        section: of the code.
        plain: whether the value is a plain word otherwise, so that `{name: word}` stands for the word.
    """

    section: type[CustomCode]
    plain: bool = False

    def _validated(self, value: Any, handler: Callable[[Any], Any], ours: set[str]) -> Any:
        if isinstance(value, self.section):
            return value
        kind = self.section.code_kind.name
        named = {"name": value} if isinstance(value, str) else value
        name = named.get("name") if isinstance(named, dict) else None
        if isinstance(name, str) and name not in ours and is_code(name, kind):
            return self.section.model_validate(named)
        if self.plain and isinstance(name, str):
            if others := [key for key in named if key != "name"]:
                message = f"{name} has no keys of its own; a function of yours has"
                raise _invalid(name, [_error(message, (others[0],), named[others[0]])])
            return handler(name)
        return handler(value)

    def __get_pydantic_core_schema__(self, source, handler):
        ours = set(_names_of(source))
        return core_schema.no_info_wrap_validator_function(
            lambda value, validate: self._validated(value, validate, ours),
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(_serialized, info_arg=True),
        )

    def __get_pydantic_json_schema__(self, core, handler):
        full, own = handler(core), handler(self.section.__pydantic_core_schema__)
        if self.plain:
            return {"anyOf": [full, own, {"type": "string", "pattern": CODE_PATTERN}]}
        return {**full, "oneOf": [*full["oneOf"], own]}


def _serialized(value: Any, info: Any) -> Any:
    return value.model_dump(mode=info.mode) if isinstance(value, BaseModel) else value


def _names_of(annotation: Any) -> Iterator[str]:
    """Yield the words in the literals of an annotation, and those of the names of its sections."""
    if get_origin(annotation) is Literal:
        yield from (word for word in get_args(annotation) if isinstance(word, str))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        annotation = annotation.model_fields["name"].annotation
        yield from get_args(annotation)
        return
    for part in get_args(annotation):
        yield from _names_of(part)
