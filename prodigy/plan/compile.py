"""Compile a workflow file into a plan: what the author wrote becomes what it means.

The document is walked once, in its own order. At every place the names known *there* decide which `${…}` are
ours, so a reference to a step that comes later is found here and not in the middle of a night. All mistakes
are noted in the file's `Source` and raised together; a plan is only ever made from a file without any.

While it walks, the compiler notes what the plan must remember of each step: whose output is referred to, and
whose failure is answered by the `when` of a later sibling.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from prodigy.errors import Problem
from prodigy.plan import address, expression, schema
from prodigy.plan.compile_claude import options_of
from prodigy.plan.compile_map import ITEM_RETRIES, MAP, TEMPLATE, map_body
from prodigy.plan.compile_policy import budget_of, goes_on, handlers_of, retry_of, timeout_of
from prodigy.plan.definition import definition_of, map_definition
from prodigy.plan.document import examine
from prodigy.plan.elsewhere import elsewhere
from prodigy.plan.given import check_given
from prodigy.plan.nodes import (
    MAX_WAIT_S,
    ROOT,
    Claude,
    ClaudeOptions,
    Command,
    Map,
    Node,
    Plan,
    Policy,
    Retry,
    Run,
    Sequence,
    Shell,
)
from prodigy.plan.notices import notices
from prodigy.plan.reference import (
    NAME,
    Names,
    Reference,
    Syntax,
    Template,
    parse_template,
    references,
    render_count,
    suggestion,
)
from prodigy.plan.shell import values
from prodigy.plan.shell.interpreter import refused
from prodigy.plan.source import Fields, Scalar, Source, excerpt
from prodigy.plan.symbols import NAMESPACES, OF_ITEMS, OF_MAP, RESULTS, Declared, declare, every_step, names_of_failure
from prodigy.plan.syntax import (
    Document,
    ErrorPolicyAsWritten,
    HandlersAsWritten,
    MapAsWritten,
    StageAsWritten,
    Step,
    choice_of,
    is_template,
    is_true,
    seconds_or,
    text_of,
)

GRACE_S = 5.0
STEPS_MAX = 10_000
LATER_NAMES_MAX = 20

_PLAIN = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_-]{0,99})\}")

Parsed = TypeVar("Parsed")


def compile_workflow(
    data: bytes,
    *,
    file: str,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    environment: Mapping[str, str | None] = MappingProxyType({}),
) -> Plan:
    """Return the plan that the bytes of a workflow file mean.

    Args:
        file: what messages call the file; its stem names a workflow without a name.
        parameters: values from the command line; each replaces the variable of its name or is a new one.
        environment: of whoever starts the run; None stands for a name that it did not have when it started.

    Raises:
        WorkflowProblem: every mistake that can be found, each with line and column.
        UsageProblem: a parameter whose name cannot be one.
    """
    source, _, declared, plan = _compiled(data, file, parameters, environment)
    _refuse_unset(source, declared)
    return plan


def compile_with_notices(
    data: bytes,
    *,
    file: str,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    environment: Mapping[str, str | None] = MappingProxyType({}),
    given: Names = frozenset(),
) -> tuple[Plan, list[Problem]]:
    """Return the plan, as `compile_workflow` does, and what is legal in the file but may not be meant.

    Args:
        given: the parameters that were typed now and must be of use; those that a run remembers need not.

    Raises:
        UsageProblem: also for one `given` that nothing uses.
    """
    source, document, declared, plan = _compiled(data, file, parameters, environment, given)
    _refuse_unset(source, declared)
    return plan, notices(source, document, declared, plan)


def workflow_notices(
    data: bytes,
    *,
    file: str,
    parameters: Mapping[str, Any] = MappingProxyType({}),
    environment: Mapping[str, str | None] = MappingProxyType({}),
) -> list[Problem]:
    """Return what is legal in a workflow file but may not be meant, and what this environment lacks.

    Raises as `compile_workflow` does, but for that.
    """
    return notices(*_compiled(data, file, parameters, environment))


def _refuse_unset(source: Source, declared: Declared) -> None:
    """Refuse variables that the environment gives no value: a run must not begin without."""
    source.problems += declared.resolved.unset.values()
    source.raise_problems()


def _compiled(
    data: bytes,
    file: str,
    parameters: Mapping[str, Any],
    environment: Mapping[str, str | None],
    given: Names = frozenset(),
) -> tuple[Source, Document, Declared, Plan]:
    source, document = examine(data, file=file)
    if document is None:
        source.raise_problems()
    assert document is not None, "a file that cannot be read has problems"
    steps = list(every_step(document))
    if len(steps) > STEPS_MAX:
        source.report(steps[STEPS_MAX], f"a workflow has at most {STEPS_MAX} steps")
        source.raise_problems()
    declared = declare(source, document, parameters, environment=environment, given=given)
    names = frozenset(name for name, value in environment.items() if value is not None)
    compilation = _Compilation(source, document, declared, names)
    compilation.compile_root()
    if source.problems:  # a misspelt parameter may be the cause; of what cannot be read it is not known what it uses
        check_given(frozenset(name for name in given if name not in source.text), document, compilation.referred)
    source.raise_problems()
    check_given(given, document, compilation.referred)
    return source, document, declared, compilation.plan(digest=sha256(data).hexdigest())


class _Compilation:
    """One walk over a document: the nodes made, the names known so far, and what refers to what."""

    def __init__(self, source: Source, document: Document, declared: Declared, environment: Names) -> None:
        self.source = source
        self.document = document
        self.declared = declared
        self.environment = environment | declared.environment
        self.nodes: dict[str, Node] = {}
        self.kept: set[str] = set()
        self.referred: set[str] = set(declared.resolved.referred)
        self.recent: dict[str, list[str]] = {"shell": [], "claude": []}
        self.owners: list[str] = []
        self.is_sure = True  # the steps of a stage with a condition may not run
        self.is_in_template = False
        self.keeps_results = False
        self.addresses: dict[str, str] = {}
        self.formed: set[str] = set()  # ids of steps whose answer has the form of a schema
        self.captured: dict[str, str] = {}  # the format of a capture, by the id of the step where both are one name
        self.known: Names = frozenset(declared.variables)
        self.env = self._environment(document.env)
        self.known |= declared.environment
        self.working_dir = self._template(document.working_dir)
        self.claude = options_of(document.claude, ClaudeOptions(), self._template, source)
        self.known |= frozenset(NAMESPACES)

    def compile_root(self) -> None:
        if self.document.map is not None:
            self._mapreduce(self.document.map)
            return
        if not self.document.stages:
            self._sequence(self.document.commands, at=ROOT, parent=None)
            return
        children = tuple(stage.name.text for stage in self.document.stages)
        self.nodes[ROOT] = Node(address=ROOT, body=Sequence(children=children))
        for index, stage in enumerate(self.document.stages):
            self._stage(stage, index)

    def plan(self, *, digest: str) -> Plan:
        name, grace = self.document.name, self.document.grace
        replace = msgspec.structs.replace
        return Plan(
            name=name.text.strip() if name else PurePath(self.source.file).stem,
            nodes={at: replace(n, keeps_output=True) if at in self.kept else n for at, n in self.nodes.items()},
            variables=self.declared.variables,
            environment=self.declared.resolved.read,
            env=self.env,
            grace_s=seconds_or(grace, GRACE_S),
            budget=budget_of(self.document.budget, self.source),
            on_limit=choice_of(self.document.on_limit, "wait"),
            max_wait_s=seconds_or(self.document.max_wait, MAX_WAIT_S),
            digest=digest,
        )

    # Nodes ------------------------------------------------------------------------------------------------

    def _sequence(self, steps: tuple[Step, ...], *, at: str, parent: str | None) -> None:
        prefix = None if at == ROOT else at
        children = [address.of_step(text_of(step.id), index, parent=prefix) for index, step in enumerate(steps)]
        self.nodes[at] = Node(address=at, body=Sequence(), parent=parent)
        answers: dict[str, list[str]] = {}
        siblings: dict[str, str] = {}
        for index, (child, step) in enumerate(zip(children, steps, strict=True)):
            if self.source.is_full:
                return
            when = self._step(step, at=child, parent=at, index=index)
            for name in _names_in(when):
                if name in siblings:
                    answers.setdefault(siblings[name], []).append(child)
            if step.id is not None:
                siblings[step.id.text] = child
        body = Sequence(children=tuple(children), answers={child: tuple(later) for child, later in answers.items()})
        self.nodes[at] = Node(address=at, body=body, parent=parent)

    def _stage(self, stage: StageAsWritten, index: int) -> None:
        """Make the nodes of a stage: a sequence with a name and with policy."""
        at = stage.name.text
        policy = msgspec.structs.replace(
            self._policy(stage, at), requires_confirmation=is_true(stage.requires_confirmation)
        )
        outer, self.is_sure = self.env, policy.when is None
        self.env = {**outer, **self._environment(stage.env)}
        self._sequence(stage.commands, at=at, parent=ROOT)
        self.nodes[at] = msgspec.structs.replace(self.nodes[at], index=index, name=at, line=stage.line, policy=policy)
        self._handlers_of_stage(stage.on_failure, at)
        self.env, self.is_sure = outer, True

    def _mapreduce(self, written: MapAsWritten) -> None:
        """Make the nodes of setup, map and reduce: stages, and between them the map."""
        setup, reduce = self.document.setup, self.document.reduce
        parts = [*(["setup"] if setup else []), MAP, *(["reduce"] if reduce else [])]
        self.nodes[ROOT] = Node(address=ROOT, body=Sequence(children=tuple(parts)))
        if setup is not None:
            self._stage(setup, 0)
        self._map(written, parts.index(MAP))
        if reduce is not None:
            self._stage(reduce, parts.index(MAP) + 1)
        if self.keeps_results:
            node = self.nodes[MAP]
            assert isinstance(node.body, Map), "it was made so"
            body = msgspec.structs.replace(node.body, keeps_results=True)
            self.nodes[MAP] = msgspec.structs.replace(node, body=body)
            template = self.nodes[TEMPLATE].body
            self.kept.update(template.children if isinstance(template, Sequence) else ())

    def _map(self, written: MapAsWritten, index: int) -> None:
        policy = self._policy(written, MAP)
        body = map_body(written, read=self._parsed, names=self.known, working_dir=self.working_dir)
        self.nodes[MAP] = Node(
            address=MAP,
            body=body,
            parent=ROOT,
            index=index,
            line=written.line,
            policy=policy,
            definition=map_definition(body),
        )
        self._check_counts(written)
        self._template_of(written)
        self.known |= {"map"}
        self._handlers_of_stage(written.on_failure, MAP)

    def _check_counts(self, written: MapAsWritten) -> None:
        """Refuse a count that a variable gives, where the variable is no such number already."""
        for name in ("max_parallel", "max_processes", "offset", "max_items"):
            scalar = getattr(written, name)
            if scalar is None or not is_template(scalar):
                continue
            template, key = self._template(scalar), schema.find("map", name)
            assert key is not None and key.bounds is not None, "a count has bounds"
            least, most = map(int, key.bounds)
            text = self._known_text(template)
            if text is not None and not _is_count(text, least, most):
                expected = f"a whole number from {least} to {most}"
                self.source.report(scalar, f"{name!r} takes {expected}, and {scalar.text} is {excerpt(text)!r}")

    def _known_text(self, template: Template) -> str | None:
        """Return what a template yields, or None where that hangs on what steps give."""
        variables = self.declared.variables
        names = {str(reference.path[0]) for reference in references(template)}
        if not names <= variables.keys() - self.declared.resolved.unset or any(map(self.declared.where, names)):
            return None
        return render_count(template, lambda name: (name in variables, variables.get(name)))

    def _template_of(self, written: MapAsWritten) -> None:
        """Make the nodes that run for each item; what they make known is known inside only."""
        outside, recent = self.known, {kind: list(steps) for kind, steps in self.recent.items()}
        self.known |= frozenset(OF_ITEMS)
        self.is_in_template = True
        policy = Policy(
            timeout=timeout_of(written.agent_timeout, self._template), retry=self._item_retry(written.error_policy)
        )
        self._sequence(written.agent_template, at=TEMPLATE, parent=MAP)
        self.nodes[TEMPLATE] = msgspec.structs.replace(self.nodes[TEMPLATE], line=written.line, policy=policy)
        self.is_in_template = False
        self.known, self.recent = outside, recent

    def _item_retry(self, written: ErrorPolicyAsWritten | None) -> Retry | None:
        if written is None:
            return None
        if written.on_item_failure is None or written.on_item_failure.text != "retry":
            if written.max_retries is not None:
                message = "'max_retries' needs on_item_failure: retry"
                self.source.report(written.max_retries, message, hint="or give the steps a retry of their own")
            return None
        return retry_of(written.max_retries, self._template) or Retry(attempts=ITEM_RETRIES + 1)

    def _handler_steps(self, written: HandlersAsWritten | None, at: str) -> None:
        if written is not None:
            self.owners.append(at)
            self._sequence(written.commands, at=address.of_handlers(at), parent=at)
            self.owners.pop()

    def _handlers_of_stage(self, written: HandlersAsWritten | None, at: str) -> None:
        """Make the steps that handle a stage or a map; only they know why it failed."""
        names = names_of_failure(at, self.declared)
        self.known |= names
        self._handler_steps(written, at)
        self.known -= names

    def _step(self, step: Step, *, at: str, parent: str, index: int) -> expression.Expression | None:
        """Make the nodes of a step and its handlers; return its condition."""
        policy = self._policy_of_step(step, at)
        command = self._command(step)
        self.nodes[at] = Node(
            address=at,
            body=Run(command=command),
            parent=parent,
            index=index,
            id=text_of(step.id),
            name=text_of(step.name),
            line=step.line,
            policy=policy,
            definition=definition_of(command, policy),
        )
        self._remember(step, at)
        self._handler_steps(step.on_failure, at)
        if step.capture_output is not None:
            self.known |= {step.capture_output.text}
        return policy.when

    def _remember(self, step: Step, at: str) -> None:
        """Make the step's id known, and the step one whose output `${values.output}` may mean from now on."""
        if step.id is not None:
            self.known |= {step.id.text}
            self.addresses.setdefault(step.id.text, at)
            self.formed |= {step.id.text} if self._is_formed(at) else set()
            if text_of(step.capture_output) == step.id.text:
                self.captured.setdefault(step.id.text, choice_of(step.capture_format, "text"))
        if step.when is None and self.is_sure and not self.owners:
            self.recent[step.kind] = []
        self.recent[step.kind].append(at)

    def _is_formed(self, at: str) -> bool:
        body = self.nodes[at].body
        command = body.command if isinstance(body, Run) else None
        return isinstance(command, Claude) and command.options.json_schema is not None

    def _command(self, step: Step) -> Command:
        env = {**self.env, **self._environment(step.env)}
        working_dir = self._template(step.working_dir) if step.working_dir else self.working_dir
        text = step.command.text
        if step.kind == "claude":
            if step.interpreter is not None:
                self.source.report(step.interpreter, "'interpreter' is for shell steps")
            prompt = self._template(step.command, holds_files=True)
            options = options_of(step.options, self.claude, self._template, self.source)
            return Claude(text=text, prompt=prompt, options=options, env=env, working_dir=working_dir)
        interpreter = text_of(step.interpreter or self.document.interpreter) or "sh"
        self._check_interpreter(step.interpreter or self.document.interpreter)
        script = self._script(step, interpreter)
        return Shell(text=text, script=script, interpreter=interpreter, env=env, working_dir=working_dir)

    def _check_interpreter(self, written: Scalar | None) -> None:
        if written is not None and (why := refused(written.text.strip())):
            self.source.report(written, why[0], hint=why[1])

    def _script(self, step: Step, interpreter: str) -> values.Script:
        """A name that only the workflow's `env` has is the shell's own where the step sets it anew."""
        own = step.env.names
        environment = self.environment | own if own else self.environment
        names = self.known - (own & self.declared.environment - self._values_known()) if own else self.known

        def parse(text: str, names: Names) -> values.Script:
            return values.parse_script(text, names, interpreter=interpreter, environment=environment)

        script = self._parsed(step.command, parse, names, values.references)
        if script is None:
            return parse("", frozenset())
        self._check_later(step.command, parse, names, environment)
        return script

    def _values_known(self) -> Names:
        """Return the names that a step or a variable has given a value so far."""
        steps = self.declared.ids.keys() | self.declared.captures.keys()
        return self.known & (steps | self.declared.variables.keys())

    def _policy(self, written: Step | StageAsWritten | MapAsWritten, at: str) -> Policy:
        """Return what a node is told besides its body, as far as every kind of node can be told it."""
        when = written.when
        return Policy(
            when=self._parsed(when, expression.parse, self.known, expression.references) if when else None,
            retry=retry_of(written.retry, self._template),
            timeout=timeout_of(written.timeout, self._template),
            on_failure=handlers_of(written.on_failure, at, self.source),
            allow_failure=goes_on(written.on_failure),
            checkpoint=is_true(written.checkpoint),
        )

    def _policy_of_step(self, step: Step, at: str) -> Policy:
        policy = self._policy(step, at)
        place = "on_failure" if self.owners else "agent_template" if self.is_in_template else ""
        for name in ("checkpoint", "requires_confirmation") if place else ():
            if (written := getattr(step, name)) is not None:
                self.source.report(written, f"{name!r} cannot stand inside {place}", hint="remove it")
        if step.kind != "claude" and step.on_interrupt is not None and step.on_interrupt.value == "continue":
            message = "only a claude step has a conversation to continue"
            self.source.report(step.on_interrupt, message, hint="use rerun, ask or fail")
        if step.capture_format is not None and step.capture_output is None:
            self.source.report(step.capture_format, "'capture_format' needs capture_output", hint="add a name")
        return msgspec.structs.replace(
            policy,
            idle_timeout=timeout_of(self._idle_timeout(step), self._template),
            allow_failure=is_true(step.allow_failure) or policy.allow_failure,
            requires_confirmation=is_true(step.requires_confirmation),
            on_interrupt=choice_of(step.on_interrupt, "continue" if step.kind == "claude" else "rerun"),
            capture=text_of(step.capture_output),
            capture_format=choice_of(step.capture_format, "text"),
        )

    def _idle_timeout(self, step: Step) -> Scalar | None:
        of_file = self.document.claude if step.kind == "claude" else None
        return step.idle_timeout or (of_file.idle_timeout if of_file else None)

    # References -------------------------------------------------------------------------------------------

    def _environment(self, fields: Fields) -> dict[str, Template]:
        texts = ((name.text, value) for name, value in fields.entries if isinstance(value, Scalar))
        return {name: self._template(value, holds_files=True) for name, value in texts}

    def _template(self, scalar: Scalar | None, *, holds_files: bool = False) -> Template:
        """Return the pieces of a text; null is empty."""
        if scalar is None or scalar.value is None:
            return ()
        return self._parsed(scalar, parse_template, self.known, references, holds_files=holds_files) or ()

    def _parsed(
        self,
        scalar: Scalar,
        parse: Callable[[str, Names], Parsed],
        names: Names,
        referred: Callable[[Parsed], Iterable[Reference]],
        *,
        holds_files: bool = False,
    ) -> Parsed | None:
        """Return what `parse` makes of a text and note what it refers to, or note why it cannot be read.

        `holds_files`: an attempt is made with the text, and so long the private files of `|file` live; scripts do.
        """
        try:
            parsed = parse(scalar.text, names)
        except Syntax as error:
            self._refuse(scalar, error)
            return None
        for reference in referred(parsed):
            self._refer(scalar, reference)
            if "file" in reference.filters and not holds_files and referred is not values.references:
                offset, name = max(scalar.text.find(reference.text), 0), ".".join(map(str, reference.path))
                message = f"{reference.text} is the path of a file, and here is no command that could read it"
                self.source.report_inside(scalar, offset, message, hint=f"write ${{{name}}}")
        return parsed

    def _refuse(self, scalar: Scalar, error: Syntax) -> None:
        name = NAME.match(scalar.text, error.offset + 2)
        if name is None or not self._report_elsewhere(scalar, error.offset, name.group()):
            self.source.report_inside(scalar, error.offset, error.message, hint=error.hint)

    def _report_elsewhere(self, scalar: Scalar, offset: int, name: str) -> bool:
        """Note a reference to a name that is known, but not at this place; return whether it is one."""
        message, hint = ("", "")
        if name not in self.known and f"{name}.error" not in self.known:
            message, hint = elsewhere(name, self.document, self.declared, is_in_template=self.is_in_template)
        if message:
            self.source.report_inside(scalar, offset, message, hint=hint)
        return bool(message)

    def _check_later(
        self, scalar: Scalar, parse: Callable[[str, Names], values.Script], names: Names, environment: Names
    ) -> None:
        """Note a plain `${name}` of a later step, which the shell would take for a variable that is empty.

        It is one if it would be ours with that name known; where the script assigns it, that is refused.
        """
        plain: dict[str, int] = {}
        for match in _PLAIN.finditer(scalar.text):
            plain.setdefault(match["name"], match.start())
        unknown = [name for name in plain if name not in self.known and name not in environment]
        for name in [name for name in unknown if self.declared.where(name)][:LATER_NAMES_MAX]:
            try:
                script = parse(scalar.text, names | {name})
            except Syntax:
                continue
            if any(reference.path[0] == name for reference in values.references(script)):
                self._report_elsewhere(scalar, plain[name], name)
                return

    def _refer(self, scalar: Scalar, reference: Reference) -> None:
        """Note a reference: what it needs kept, and whether there is such a result."""
        name, result = str(reference.path[0]), reference.path[1] if len(reference.path) > 1 else None
        known = NAMESPACES.get(name) or (OF_MAP if name == MAP else self._results(name))
        self.referred.add(name)
        if self._may_have(name, result):
            known = None
        if known is not None and result not in known and (result is not None or name in NAMESPACES):
            known_here = f"known: {', '.join(known)}"
            if name in self.captured:
                known_here = f"capture_format: json gives {name!r} fields and elements, lines elements"
            if (meant := _MEANT.get(str(result), "")) in known:
                known_here = f"did you mean ${{{name}.{meant}}}?"
            elif result == "structured":
                known_here = f"the step {name!r} has no json_schema"
            elif result == "failed" and "success" in known:
                known_here = f"in a condition it is  not ${{{name}.success}}"
            hint = suggestion(str(result), known, form=f"${{{{{name}.{{}}}}}}") or known_here
            offset = max(scalar.text.find(reference.text), 0)
            self.source.report_inside(scalar, offset, f"{reference.text} names no result of {name!r}", hint=hint)
        if name == MAP and result in (None, "results", "dead_letters"):
            self.keeps_results = True
        if name in self.addresses and result in (None, "output", "stderr"):
            self.kept.add(self.addresses[name])
        if name in self.recent and result == "output":
            self.kept.update(self.recent[name], self.owners[-1:])
            self.recent[name] = []

    def _results(self, name: str) -> tuple[str, ...] | None:
        if name not in self.addresses:
            return None
        return (*RESULTS, "structured") if name in self.formed else RESULTS

    def _may_have(self, name: str, field: str | int | None) -> bool:
        """Whether a step captures into its own id what may have such a field or element: known when it has run."""
        form = self.captured.get(name)
        return form == "json" or (form == "lines" and (isinstance(field, int) or str(field).isdigit()))


_MEANT = {  # results, as others call them
    **dict.fromkeys(("stdout", "result", "out", "value", "text"), "output"),
    **dict.fromkeys(("status", "code", "returncode", "return_code", "rc", "exit", "exit_status"), "exit_code"),
    **dict.fromkeys(("ok", "succeeded", "passed", "is_success"), "success"),
    **dict.fromkeys(("message", "reason", "failure"), "error"),
    **dict.fromkeys(("time", "elapsed", "duration_s"), "duration"),
}


def _is_count(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most


def _names_in(when: expression.Expression | None) -> list[str]:
    """Return each name that a condition refers to, once, in its order, so that equal files make equal plans."""
    found = expression.references(when) if when else ()
    return list(dict.fromkeys(str(reference.path[0]) for reference in found))
