"""What a key that the language does not have may mean: the hint of "unknown key".

People bring the words of other tools. A word that another tool has is answered by what it means *here*, at that
place, and never by a key that is only spelled alike: `max_attempts` counts all attempts and `retry` further ones,
`env_file` is no `on_failure`. Spelling decides only about words that nobody has, and about small slips.
"""

import re

from prodigy.plan.schema import WHERE, Where, find, keys_of, names

SLIP_RATIO = 0.8
FOREIGN_RATIO = SHORT_RATIO = 0.85
SHORT_CHARS = 5
PLACES_SHOWN_MAX = 3

_ORDER = "steps run in the order in which they stand"
_ITEMS = "the same steps for many items:  mode: mapreduce  with  map: {input: …, agent_template: …}"
_COOKED = "a workflow begins when it is cooked; there is nothing to put here"
_HERE = "steps run on this machine; a container is a command:  shell: docker run …"
_ENV_FILE = "write  env: {NAME: value} , or read the file in the script:  set -a; . ./.env"
_INHERITED = "steps have the environment of prodigy: $NAME in a script is enough"
_FILES = "files stay where steps write them; nothing is copied, cached or removed"
_ALWAYS = "nothing runs in every case: on_failure runs after a failure, the next step after a success"
_ONE_FILE = "a workflow is one file; inside it &name and *name share what is the same"
_ATTEMPTS = "write  retry: {attempts: 3}  for all attempts;  retry: 2  counts the further ones"
_NO_ARGUMENTS = "put them into the command; ${name} is a value of variables"
_CODES = "a step fails unless it exits with 0; write  shell: make || test $? -eq 3"
_WAITS = "waits belong to  retry: {attempts: 3, initial_delay: 5s}"
_GOES_ON = "put  allow_failure: true  on the step that may fail"
_NAMED_STEPS = "named groups of steps are stages: a list, each with name and commands"
_MODEL = "Claude Code chooses its model:  env: {ANTHROPIC_MODEL: …}"
_USER = "steps run as you; write it into the command:  shell: sudo …"
_SUCCESS = "the next step runs when this one has succeeded; when: asks for more"
_DEFAULTS = "what holds for every step is  env, working_dir  and  interpreter;  values stand under variables"
_ONE_COMMAND = "a step is one command; give each a dash of its own, or make a stage of them"
_ONE_MORE = "attempts counts all of them, the first too: one more than retries"
_REPAIRS = "max_attempts  says how often they repair and the step is tried again"
_PER_ITEM = "error_policy says what a failed item means; on_failure runs when the map has failed"


def _all(words: str, answer: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), answer)


# What other tools call what is meant: a key of the place where it stands, or a sentence.
_ANYWHERE: dict[str, str] = {
    **_all("title label", "name"),
    **_all("if condition only_if", "when"),
    **_all("only except rules preconditions", "a condition is  when: ${branch} == 'main'"),
    **_all("unless", "a condition that must be false is  when: not ${done}"),
    **_all("needs depends_on depends deps dependencies after requires before parent dag", _ORDER),
    **_all("on trigger triggers schedule cron workflow_dispatch", _COOKED),
    **_all("version apiversion kind", "a workflow file has no version; remove the line"),
    **_all("uses", "there are no ready-made actions; write the command:  shell: …"),
    **_all("environment environ envs", "env"),
    **_all("env_file dotenv envfile", _ENV_FILE),
    **_all("secrets permissions credentials pass_env", _INHERITED),
    **_all("cwd dir directory workdir chdir folder working_directory", "working_dir"),
    **_all("image container services docker executor runs_on runner ports volumes", _HERE),
    **_all("resources cpus memory queue entrypoint dockerfile build", _HERE),
    **_all("cache artifacts publishdir sources generates volumes_from", _FILES),
    **_all("become sudo user become_user", _USER),
    **_all("include includes import extends imports import_tasks include_tasks", _ONE_FILE),
    **_all("finally always ensure cleanup teardown onexit on_exit post", _ALWAYS),
    **_all("on_success then next success", _SUCCESS),
    **_all("on_error on_fail catch rescue failure onfailure", "on_failure"),
    **_all("notify handlers", "what runs after a failure is on_failure; a message is a step like any other"),
    **_all("loop with_items with_dict foreach for_each for matrix strategy withitems withparam with_sequence", _ITEMS),
    **_all("parallel concurrency workers parallelism", f"steps run one after the other; {_ITEMS}"),
    **_all("confirm approval confirmation manual", "requires_confirmation"),
    **_all("retries max_retries maxretries retry_count tries", "retry"),
    **_all("attempts max_attempts", _ATTEMPTS),
    **_all("delay wait interval retry_delay initial_delay backoff", _WAITS),
    **_all("until", "retry: 3  tries a command again until it succeeds, three times more at most"),
    **_all("continue_on_error continue_on_failure ignore_error ignore_errors ignore_failure fail_ok", "allow_failure"),
    **_all("errorstrategy", "allow_failure: true  goes on after a failure,  retry: 3  tries again"),
    **_all("failed_when changed_when allowed_exit_codes exit_codes exit_code", _CODES),
    **_all("timeout_minutes time_limit max_time activedeadlineseconds timeout_seconds", "timeout"),
    **_all("model", _MODEL),
}

_BY_PLACE: dict[Where, dict[str, str]] = {
    "workflow": {
        **_all("tasks script run workflow pipeline actions command cmd block", "commands"),
        **_all("jobs phases groups targets", _NAMED_STEPS),
        **_all("shell", "each step is an entry of commands:  commands: [{shell: make}]"),
        **_all("prompt agent agents", "a prompt is a step:  commands: [{claude: /review}]"),
        **_all("vars params parameters inputs arguments", "variables"),
        **_all("with args", "values are under variables, used as ${name}"),
        **_all("defaults default", _DEFAULTS),
        **_all("outputs output results", "capture_output  on a step keeps what it prints"),
        **_all("items source", _ITEMS),
        **_all("before_script", "put it first among the commands"),
        **_all("after_script", "put it last among the commands"),
        **_all("retry retries max_retries", "retry  stands on a step or a stage"),
        **_all("timeout timeout_minutes time_limit max_time", "timeout  stands on a step or a stage"),
        **_all("allow_failure continue_on_error ignore_errors", _GOES_ON),
        **_all("when if condition", "when  stands on a step or a stage"),
        **_all("on_failure on_error on_fail rescue catch", "on_failure  stands on a step or a stage"),
        **_all("max_parallel", "it is a key of map"),
        **_all("desc summary doc comment about", "description"),
        **_all("kill_timeout grace_period stop_grace_period", "grace"),
    },
    "stage": {
        **_all("tasks script run jobs pipeline actions command cmd block", "commands"),
        **_all("shell claude", "each step is an entry of commands:  commands: [{shell: make}]"),
        **_all("id key", "name"),
        **_all("working_dir cwd dir", "put working_dir on its steps or on the workflow"),
        **_all("continue_on_error ignore_errors allow_failure", _GOES_ON),
        **_all("variables vars", "variables belong to the workflow; for this stage write  env"),
        **_all("capture_output outputs output", "capture_output  on a step keeps what it prints"),
    },
    "step": {
        **_all("command cmd run script bash sh exec task sh_command bash_command", "shell"),
        **_all("prompt agent llm ai slash", "claude"),
        **_all("commands steps tasks block", _ONE_COMMAND),
        **_all("register save save_as store capture_as", "capture_output"),
        **_all("output outputs result stdout publish", "capture_output: name  keeps what it prints as ${name}"),
        **_all("stderr", "${id.stderr}  is what a step with an id printed there"),
        **_all("with args arguments params parameters inputs input", _NO_ARGUMENTS),
        **_all("variables vars", "variables belong to the workflow; for one step write  env"),
        **_all("items each", _ITEMS),
        **_all("stage stages", "stages are a list of their own, each with name and commands"),
        **_all("key alias", "id"),
        **_all("desc description summary comment", "name  says what it is; a remark is a comment:  # …"),
        **_all("stdin", "standard input is empty; write  shell: program < file"),
        **_all("format output_format", "capture_format"),
        **_all("max_parallel", f"it is a key of map: {_ITEMS}"),
        **_all("restart", _ATTEMPTS),
        **_all("retry_original fail_workflow", "it stands beside commands:  on_failure: {commands: [{shell: fix}], …}"),
    },
    "retry": {
        **_all("delay wait interval sleep initial_wait base duration backoff_seconds", "initial_delay"),
        **_all("max_wait cap max_interval maximum max_duration", "max_delay"),
        **_all("max_attempts tries count", "attempts"),
        **_all("retries max_retries limit max times", _ONE_MORE),
        **_all("on when if errors exit_codes codes", "retry_on"),
        **_all("strategy policy type", "backoff"),
        **_all("factor multiplier", "backoff: exponential  doubles each wait, up to max_delay"),
        **_all("randomize random", "jitter"),
    },
    "on_failure": {
        **_all("retries retry attempts max_retries", _REPAIRS),
        **_all("tasks script run handlers command cmd block", "commands"),
        **_all("continue_on_error allow_failure ignore_errors continue", "fail_workflow: false  lets the run go on"),
        **_all("fail abort stop", "fail_workflow"),
    },
    "phase": {
        **_all("tasks script run jobs command cmd block", "commands"),
        **_all("shell claude", "each step is an entry of commands:  commands: [{shell: make}]"),
        **_all("working_dir cwd dir", "put working_dir on its steps or on the workflow"),
        **_all("continue_on_error ignore_errors allow_failure", _GOES_ON),
        **_all("variables vars", "variables belong to the workflow; for these steps write  env"),
        **_all("capture_output outputs output", "capture_output  on a step keeps what it prints"),
    },
    "map": {
        **_all("items source over for_each foreach data list inputs with_items loop in from", "input"),
        **_all("steps commands tasks do template each agent agents jobs process run script", "agent_template"),
        **_all("parallel concurrency workers parallelism jobs_max max_workers", "max_parallel"),
        **_all("where select when_item", "filter"),
        **_all("limit first head take max max_count", "max_items"),
        **_all("skip start", "offset"),
        **_all("sort order_by order", "sort_by"),
        **_all("unique dedup deduplicate unique_by", "distinct"),
        **_all("key id item_id", "item_key"),
        **_all("on_error on_fail", _PER_ITEM),
        **_all("item_timeout timeout_per_item", "agent_timeout"),
        **_all("continue_on_error ignore_errors allow_failure", "a failed item is a dead letter, and the others go on"),
        **_all("path", "json_path  says which values of a JSON file are the items"),
        **_all("env variables vars", "put it on the workflow, or env on a step of agent_template"),
        **_all("working_dir cwd dir", "put working_dir on a step of agent_template, or on the workflow"),
        **_all("requires_confirmation", "put it on setup or reduce"),
        **_all("file glob command files", "it stands under input:  input: {glob: 'src/**/*.py'}"),
        **_all("variable item as item_name", "each item is ${item}"),
    },
    "input": {
        **_all("path name files json yaml csv", "file"),
        **_all("pattern patterns globs", "glob"),
        **_all("cmd shell run script exec", "command"),
        **_all("items list values data", "a list stands there itself:  input: [a, b]  or  input: ${names}"),
    },
    "agent_template": {
        **_all("tasks script run command cmd block", "commands"),
        **_all("shell claude", "each step is an entry of commands:  commands: [{shell: wc ${item}}]"),
        **_all("timeout", "agent_timeout  of map is the time that one item has"),
        **_all("retry retries max_attempts", "error_policy: {on_item_failure: retry}  tries an item again"),
    },
    "error_policy": {
        **_all("on_failure on_error on_item_error action strategy", "on_item_failure"),
        **_all("retries retry", "max_retries"),
        **_all("max_attempts attempts", "max_retries counts further attempts: one less than all"),
        **_all("threshold failure_rate max_failure_rate", "failure_threshold"),
        **_all("max_errors limit", "max_failures"),
        **_all("continue_on_error continue_on_failure", "on_item_failure: dlq  or  skip  goes on with the other items"),
    },
    "claude": {
        **_all("text ask command question message", "prompt"),
        **_all("tools allowedTools allow", "allowed_tools"),
        **_all("disallowedTools deny", "disallowed_tools"),
        **_all("system_prompt system instructions", "append_system_prompt"),
        **_all("schema output_schema response_schema output_format", "json_schema"),
        **_all("turns", "max_turns"),
        **_all("program bin binary path executable", "claude_bin"),
        **_all("flags arguments options extra_args", "args"),
        **_all("permissions mode", "permission_mode"),
    },
    "circuit_breaker": {
        **_all("threshold max_failures failures_max", "failure_threshold"),
        **_all("reset_timeout cooldown recovery_timeout open_for wait duration", "timeout"),
    },
    "budget": {
        **_all("max max_usd total limit dollars amount max_budget_usd max_cost", "usd"),
        **_all("on_limit on_exceeded action", "on_exceed"),
        **_all("warn warning alert_at", "warn_at"),
        **_all("step", "per_step"),
        **_all("item per_agent agent", "per_item"),
    },
}


def advice(where: Where, name: str) -> str:
    """Return the hint for an unknown key: what it means here, where it belongs, the nearest one, or all there are."""
    word = _plain(name)
    if find(where, word) is not None:
        return f"did you mean {word}?"
    if meant := _meaning(where, word):
        return meant
    if elsewhere := [WHERE[key.where] for key in keys_of(word)]:
        return f"it is a key of {_joined(elsewhere)}"
    if near := _slip(word, names(where)):
        return f"did you mean {near}?"
    foreign = _slip(word, (*_BY_PLACE[where], *_ANYWHERE), ratio=FOREIGN_RATIO)
    return (foreign and _meaning(where, foreign)) or f"keys of {WHERE[where]}: {', '.join(names(where))}"


def _meaning(where: Where, word: str) -> str | None:
    """Return what a word of other tools means at a place, or None."""
    meant = _BY_PLACE[where].get(word) or _ANYWHERE.get(word, "")
    if find(where, meant) is not None:
        return f"here it is called {meant}"
    return meant if " " in meant else None


def _plain(name: str) -> str:
    """Return a key as this language writes keys: `continue-on-error` and `maxRetries` in small letters, with `_`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_")


def _slip(word: str, known: tuple[str, ...], *, ratio: float = SLIP_RATIO) -> str | None:
    """Return the word that another misspells: two letters swapped, or few of many wrong; of a short word hardly any."""
    import difflib  # 3 ms, for the hint of an error

    swaps = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    if swapped := next((key for key in known if key in swaps), None):
        return swapped
    ratio = max(ratio, SHORT_RATIO) if len(word) < SHORT_CHARS else ratio
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=ratio)), None)


def _joined(places: list[str]) -> str:
    shown = places[:PLACES_SHOWN_MAX]
    return " and of ".join(shown) + (" and others" if len(places) > PLACES_SHOWN_MAX else "")
