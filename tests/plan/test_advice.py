"""What an unknown key is answered with: its meaning here, at that place, and never a key that is only spelled alike."""

import pytest

from prodigy.plan import advice as table
from prodigy.plan.advice import advice
from prodigy.plan.schema import KEYS, Where, find, names

ORDER = "steps run in the order in which they stand"
ITEMS = "the same steps for many items:  mode: mapreduce  with  map: {input: …, agent_template: …}"
ATTEMPTS = "write  retry: {attempts: 3}  for all attempts;  retry: 2  counts the further ones"
HERE = "steps run on this machine; a container is a command:  shell: docker run …"
ALWAYS = "nothing runs in every case: on_failure runs after a failure, the next step after a success"
DEFAULTS = "what holds for every step is  env, working_dir  and  interpreter;  values stand under variables"
SHELL = "here it is called shell"

# (place, word, answer), by the tool that people bring it from.
BROUGHT: list[tuple[Where, str, str]] = [
    # GitHub Actions
    ("workflow", "jobs", "named groups of steps are stages: a list, each with name and commands"),
    ("workflow", "on", "a workflow begins when it is cooked; there is nothing to put here"),
    ("workflow", "defaults", DEFAULTS),
    ("workflow", "outputs", "capture_output  on a step keeps what it prints"),
    ("step", "run", SHELL),
    ("step", "uses", "there are no ready-made actions; write the command:  shell: …"),
    ("step", "with", "put them into the command; ${name} is a value of variables"),
    ("step", "if", "here it is called when"),
    ("stage", "needs", ORDER),
    ("stage", "runs-on", HERE),
    ("stage", "strategy", ITEMS),
    ("step", "continue-on-error", "here it is called allow_failure"),
    ("step", "timeout-minutes", "here it is called timeout"),
    ("step", "working-directory", "here it is called working_dir"),
    ("step", "outputs", "capture_output: name  keeps what it prints as ${name}"),
    # GitLab CI
    ("workflow", "before_script", "put it first among the commands"),
    ("workflow", "after_script", "put it last among the commands"),
    ("workflow", "image", HERE),
    ("step", "script", SHELL),
    ("step", "stage", "stages are a list of their own, each with name and commands"),
    ("step", "only", "a condition is  when: ${branch} == 'main'"),
    ("step", "rules", "a condition is  when: ${branch} == 'main'"),
    ("step", "artifacts", "files stay where steps write them; nothing is copied, cached or removed"),
    ("workflow", "include", "a workflow is one file; inside it &name and *name share what is the same"),
    # Ansible
    ("workflow", "tasks", "here it is called commands"),
    ("workflow", "vars", "here it is called variables"),
    ("step", "register", "here it is called capture_output"),
    ("step", "ignore_errors", "here it is called allow_failure"),
    ("step", "until", "retry: 3  tries a command again until it succeeds, three times more at most"),
    ("step", "retries", "here it is called retry"),
    ("step", "delay", "waits belong to  retry: {attempts: 3, initial_delay: 5s}"),
    ("step", "loop", ITEMS),
    ("step", "with_items", ITEMS),
    ("step", "become", "steps run as you; write it into the command:  shell: sudo …"),
    ("step", "block", "a step is one command; give each a dash of its own, or make a stage of them"),
    ("step", "rescue", "here it is called on_failure"),
    ("step", "always", ALWAYS),
    ("step", "chdir", "here it is called working_dir"),
    # Argo, Nextflow
    ("step", "image", HERE),
    ("step", "withItems", ITEMS),
    ("workflow", "onExit", ALWAYS),
    ("retry", "limit", "attempts counts all of them, the first too: one more than retries"),
    ("step", "maxRetries", "here it is called retry"),
    ("step", "errorStrategy", "allow_failure: true  goes on after a failure,  retry: 3  tries again"),
    # Taskfile, just, make, docker compose
    ("step", "cmd", SHELL),
    ("step", "command", SHELL),
    ("step", "deps", ORDER),
    ("step", "depends_on", ORDER),
    ("step", "dir", "here it is called working_dir"),
    ("step", "env_file", "write  env: {NAME: value} , or read the file in the script:  set -a; . ./.env"),
    ("step", "vars", "variables belong to the workflow; for one step write  env"),
    ("step", "environment", "here it is called env"),
    ("workflow", "version", "a workflow file has no version; remove the line"),
    # Words whose nearest key means something else
    ("step", "on_error", "here it is called on_failure"),
    ("step", "max_attempts", ATTEMPTS),
    ("step", "attempts", ATTEMPTS),
    ("step", "finally", ALWAYS),
    ("step", "commands", "a step is one command; give each a dash of its own, or make a stage of them"),
    ("step", "model", "Claude Code chooses its model:  env: {ANTHROPIC_MODEL: …}"),
    ("workflow", "model", "Claude Code chooses its model:  env: {ANTHROPIC_MODEL: …}"),
    ("on_failure", "retry", "max_attempts  says how often they repair and the step is tried again"),
    ("on_failure", "retries", "max_attempts  says how often they repair and the step is tried again"),
    ("retry", "delay", "here it is called initial_delay"),
    ("retry", "max_attempts", "here it is called attempts"),
    ("map", "items", "here it is called input"),
    ("map", "steps", "here it is called agent_template"),
    ("map", "commands", "here it is called agent_template"),
    ("map", "file", "it stands under input:  input: {glob: 'src/**/*.py'}"),
    ("map", "on_error", "error_policy says what a failed item means; on_failure runs when the map has failed"),
    ("map", "on_item_failure", "it is a key of error_policy"),
    ("error_policy", "max_attempts", "max_retries counts further attempts: one less than all"),
    ("input", "pattern", "here it is called glob"),
    ("input", "items", "a list stands there itself:  input: [a, b]  or  input: ${names}"),
    ("agent_template", "timeout", "agent_timeout  of map is the time that one item has"),
    ("workflow", "timeout", "timeout  stands on a step or a stage"),
    ("workflow", "shell", "each step is an entry of commands:  commands: [{shell: make}]"),
    # Slips
    ("step", "shel", "did you mean shell?"),
    ("step", "whne", "did you mean when?"),
    ("step", "captureOutput", "did you mean capture_output?"),
    ("step", "on-failure", "did you mean on_failure?"),
    ("step", "tiemout", "did you mean timeout?"),
    ("step", "comand", SHELL),
    ("step", "retires", "here it is called retry"),
    ("workflow", "comands", "did you mean commands?"),
    ("workflow", "variable", "did you mean variables?"),
    ("map", "max_paralel", "did you mean max_parallel?"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "word", "answer"), BROUGHT)
def test_a_word_that_people_bring_is_answered_by_what_it_means_here(where: Where, word: str, answer: str) -> None:
    """At every level, for the tools that most come from."""
    assert advice(where, word) == answer


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("step", "tags"),
        ("step", "expect"),
        ("step", "resume"),
        ("workflow", "hosts"),
        ("workflow", "tags"),
        ("workflow", "abort"),
        ("workflow", "status"),
        ("step", "check"),
        ("retry", "items"),
        ("map", "time"),
    ],
)
def test_a_word_that_nothing_resembles_is_answered_by_all_there_are(where: Where, word: str) -> None:
    """A key that is a little alike would be a false friend."""
    found = advice(where, word)
    assert found.startswith("keys of ")


def test_every_answer_that_is_one_word_is_a_key_of_its_place() -> None:
    """And none is a word that the place has itself."""
    for where, words in table._BY_PLACE.items():
        for word, answer in words.items():
            assert " " in answer or answer in names(where), (where, word)
            assert find(where, word) is None, (where, word)


def test_every_key_is_its_own_answer_elsewhere() -> None:
    """No key of the language is taken for another word where it does not belong, unless the table says so."""
    for key in KEYS:
        for where in table._BY_PLACE:
            if find(where, key.name) is None and key.name not in {**table._ANYWHERE, **table._BY_PLACE[where]}:
                assert advice(where, key.name).startswith("it is a key of "), (where, key.name)
