"""From a folder of files to an Operator: every document read, every reference between them checked, all mistakes told at once."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shared.errors import nearest
from shared.events import CATALOGUE
from shared.operator.base import Document
from shared.operator.company import Company, FiscalSeriesFile, Plans, Rules, Taxes
from shared.operator.files import Mistake, Place, Source, parse, read_source
from shared.operator.notices import Notice
from shared.operator.operator import Operator
from shared.operator.policies import Policy, Qualification
from shared.operator.procedures import REQUESTER, Procedure

D = TypeVar("D", bound=Document)
C = TypeVar("C", Policy, Procedure, Notice)


class OperatorError(Exception):
    """The operator's files are not usable; `mistakes` lists what to mend, the text has one line for each."""

    def __init__(self, folder: Path, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        lines = "\n".join(f"  {each}" for each in mistakes)
        super().__init__(f"{folder}: {len(mistakes)} error(es) en los documentos del operador\n{lines}")


def load_operator(folder: Path) -> Operator:
    """Load and check everything. Raises OperatorError."""
    operator, mistakes = check_operator(folder)
    if operator is None or mistakes:
        raise OperatorError(folder, mistakes)
    return operator


def check_operator(folder: Path) -> tuple[Operator | None, list[Mistake]]:
    """Load what can be loaded; answer it with every mistake, in the order of files and lines."""
    reading = Reading(folder)
    if not folder.is_dir():
        return None, [Mistake(str(folder), 1, "", "no existe esta carpeta")]
    company = reading.one(Company, "operator.yaml")
    plans, taxes = reading.one(Plans, "catalog/plans.yaml"), reading.one(Taxes, "catalog/taxes.yaml")
    series, rules = reading.one(FiscalSeriesFile, "catalog/fiscal_series.yaml"), reading.one(Rules, "rules.yaml")
    qualification = reading.one(Qualification, "qualification.yaml")
    policies, procedures = reading.all(Policy, "policies"), reading.all(Procedure, "procedures")
    notices = reading.all(Notice, "notices")
    if reading.mistakes or not (company and plans and taxes and series and rules and qualification):
        return None, reading.ordered()
    operator = Operator.model_construct(
        **dict(company),
        folder=folder,
        fingerprint=fingerprint(folder),
        plans=plans.plans,
        taxes=taxes.taxes,
        fiscal_series=series.fiscal_series,
        rules={each.id: each for each in rules.rules},
        qualification=qualification,
        policies=policies,
        procedures=procedures,
        notices=notices,
    )
    References(reading, operator).check()
    return operator, reading.ordered()


def fingerprint(folder: Path) -> str:
    """A hash of all documents: two processes with different files do not serve the same operator."""
    found = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and "books" not in each.relative_to(folder).parts):
        found.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


@dataclass
class Reading:
    """The files read so far, and what was wrong with them."""

    folder: Path
    mistakes: list[Mistake] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)

    def one(self, model: type[D], name: str) -> D | None:
        source = read_source(self.folder, name, self.mistakes)
        if source is not None:
            self.sources[name] = source
        return parse(model, source, self.mistakes)

    def all(self, model: type[C], folder: str) -> dict[str, C]:
        """The documents of a folder by code; each file is named for its code."""
        found: dict[str, C] = {}
        paths = sorted((self.folder / folder).glob("*.yaml"))
        if not paths:
            self.mistakes.append(Mistake(folder, 1, "", "no hay ningún archivo .yaml en esta carpeta"))
        for path in paths:
            name = f"{folder}/{path.name}"
            document = self.one(model, name)
            if document is None:
                continue
            if document.code != path.stem:
                self.wrong(name, ("code",), f"es «{document.code}» y el archivo se llama {path.name}: deben coincidir")
            found[document.code] = document
        return found

    def wrong(self, name: str, place: Place, message: str) -> None:
        self.mistakes.append(self.sources[name].mistake(place, message))

    def ordered(self) -> list[Mistake]:
        return sorted(self.mistakes, key=lambda each: (each.file, each.line, each.field))


@dataclass
class References:
    """Do the documents fit together?"""

    reading: Reading
    operator: Operator

    def check(self) -> None:
        self._twice("operator.yaml", "desks", [each.code for each in self.operator.desks])
        self._twice("operator.yaml", "people", [each.person for each in self.operator.people])
        self._twice("catalog/plans.yaml", "plans", [each.code for each in self.operator.plans])
        self._twice("catalog/taxes.yaml", "taxes", [each.code for each in self.operator.taxes])
        self._twice("rules.yaml", "rules", [each["id"] for each in self.reading.sources["rules.yaml"].value["rules"]])
        for name, place, kind, code in self._uses():
            self._known(name, place, kind, code)
        for notice in self.operator.notices.values():
            self._notice(notice)
        for number, series in enumerate(self.operator.fiscal_series):
            if series.to_number < series.from_number:
                self.reading.wrong("catalog/fiscal_series.yaml", ("fiscal_series", number, "to_number"), "es menor que from_number")

    def _uses(self) -> Iterator[tuple[str, Place, str, str]]:
        """Every reference: file, place, what kind of thing, its code."""
        operator = self.operator
        yield "operator.yaml", ("default_policy",), "política", operator.default_policy
        yield from self._desk_uses()
        for number, plan in enumerate(operator.plans):
            yield "catalog/plans.yaml", ("plans", number, "tax"), "impuesto", plan.tax
        yield "qualification.yaml", ("policy",), "política", operator.qualification.policy
        yield "qualification.yaml", ("rule",), "regla", operator.qualification.rule
        for policy in operator.policies.values():
            yield from self._policy_uses(policy)
        for procedure in operator.procedures.values():
            yield from self._procedure_uses(procedure)
        for notice in operator.notices.values():
            name = f"notices/{notice.code}.yaml"
            for at, desk in enumerate(notice.to.desks):
                yield name, ("to", "desks", at), "escritorio", desk
            for at, rule in enumerate(notice.rules):
                yield name, ("rules", at), "regla", rule

    def _desk_uses(self) -> Iterator[tuple[str, Place, str, str]]:
        for permission, desks in self.operator.permissions.items():
            for at, desk in enumerate(desks):
                yield "operator.yaml", ("permissions", permission, at), "escritorio", desk
        for number, person in enumerate(self.operator.people):
            for at, desk in enumerate(person.desks):
                yield "operator.yaml", ("people", number, "desks", at), "escritorio", desk

    def _policy_uses(self, policy: Policy) -> Iterator[tuple[str, Place, str, str]]:
        name = f"policies/{policy.code}.yaml"
        for decision, rule in policy.rules.items():
            yield name, ("rules", decision), "regla", rule
        for at, choice in enumerate(policy.choices):
            yield name, ("choices", at, "rule"), "regla", choice.rule
        for part, chosen in (("suspension", policy.suspension.procedure), ("reconnection", policy.reconnection.procedure)):
            yield name, (part, "procedure", "own"), "procedimiento", chosen.own
            yield name, (part, "procedure", "third_party"), "procedimiento", chosen.third_party
        for at, reminder in enumerate(policy.reminders):
            yield name, ("reminders", at, "notice"), "aviso", reminder.notice
        if policy.suspension.notice is not None:
            yield name, ("suspension", "notice", "name"), "aviso", policy.suspension.notice.name

    def _procedure_uses(self, procedure: Procedure) -> Iterator[tuple[str, Place, str, str]]:
        name = f"procedures/{procedure.code}.yaml"
        yield name, ("desk",), "escritorio", procedure.desk
        for at, rule in enumerate(procedure.rules):
            yield name, ("rules", at), "regla", rule
        for number, step in enumerate(procedure.steps):
            if step.role is not None and step.role != REQUESTER:
                yield name, ("steps", number, "role"), "escritorio", step.role
            if step.rule is not None:
                yield name, ("steps", number, "rule"), "regla", step.rule

    def _known(self, name: str, place: Place, kind: str, code: str) -> None:
        operator = self.operator
        known = {
            "política": set(operator.policies),
            "escritorio": {each.code for each in operator.desks},
            "impuesto": {each.code for each in operator.taxes},
            "regla": set(operator.rules),
            "procedimiento": set(operator.procedures),
            "aviso": set(operator.notices),
        }[kind]
        if code not in known:
            self.reading.wrong(name, place, f"no existe {kind} «{code}»{nearest(code, known)}")

    def _twice(self, name: str, place: str, codes: list[str]) -> None:
        for number, code in enumerate(codes):
            if code in codes[:number]:
                self.reading.wrong(name, (place, number), f"«{code}» está dos veces")

    def _notice(self, notice: Notice) -> None:
        name = f"notices/{notice.code}.yaml"
        event = CATALOGUE.get(notice.on)
        if event is None:
            self.reading.wrong(name, ("on",), f"no existe el evento «{notice.on}»{nearest(notice.on, set(CATALOGUE))}")
        else:
            for each in sorted(set(notice.when) - set(event.model_fields)):
                self.reading.wrong(name, ("when", each), f"el evento no tiene este campo{nearest(each, set(event.model_fields))}")
        for ending in ("subject.txt.j2", "mjml.j2", "txt.j2"):
            if not (self.operator.folder / "templates" / f"{notice.template}.{ending}").is_file():
                self.reading.wrong(name, ("template",), f"falta templates/{notice.template}.{ending}")


def schemas() -> dict[str, dict[str, object]]:
    """The JSON Schema of each kind of document, for editors: file name → schema."""
    models: dict[str, type[Document]] = {
        "operator": Company, "rules": Rules, "plans": Plans, "taxes": Taxes, "fiscal_series": FiscalSeriesFile,
        "qualification": Qualification, "policy": Policy, "procedure": Procedure, "notice": Notice,
    }  # fmt: skip
    return {name: model.model_json_schema() for name, model in models.items()}
