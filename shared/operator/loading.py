"""From a folder of files to an Operator: every document read, every reference between them checked, all mistakes told at once."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shared.errors import Mendable
from shared.operator.base import Document
from shared.operator.company import Company, FiscalSeriesFile, Plans, Rules, Taxes
from shared.operator.files import Mistake, Place, Source, parse, read_source
from shared.operator.notices import Notice
from shared.operator.operator import Operator
from shared.operator.policies import Policy, Qualification
from shared.operator.procedures import Procedure
from shared.operator.references import check_references

D = TypeVar("D", bound=Document)
C = TypeVar("C", Policy, Procedure, Notice)


class OperatorError(Mendable):
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
        fees=plans.fees,
        taxes=taxes.taxes,
        fiscal_series=series.fiscal_series,
        rules={each.id: each for each in rules.rules},
        qualification=qualification,
        policies=policies,
        procedures=procedures,
        notices=notices,
    )
    check_references(operator, [each.id for each in rules.rules], reading.wrong)
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

    def wrong(self, name: str, place: Place, message: str, line: int = 1) -> None:
        """Note a mistake; its line is that of the place in a YAML file, else the one given."""
        source = self.sources.get(name)
        self.mistakes.append(source.mistake(place, message) if source else Mistake(name, line, "", message))

    def ordered(self) -> list[Mistake]:
        return sorted(self.mistakes, key=lambda each: (each.file, each.line, each.field))


def schemas() -> dict[str, dict[str, object]]:
    """The JSON Schema of each kind of document, for editors: file name → schema."""
    models: dict[str, type[Document]] = {
        "operator": Company, "rules": Rules, "plans": Plans, "taxes": Taxes, "fiscal_series": FiscalSeriesFile,
        "qualification": Qualification, "policy": Policy, "procedure": Procedure, "notice": Notice,
    }  # fmt: skip
    return {name: model.model_json_schema() for name, model in models.items()}
