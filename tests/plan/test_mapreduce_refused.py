"""What cannot be meant in a mapreduce workflow, and what its author hears."""

import pytest

from tests.plan.test_mapreduce import refusals, workflow

BACKWARD = "a reference looks back, never ahead"
INSIDE = "use ${map.results}"
MAP_EXAMPLE = "for example  map: {input: files.json, agent_template: [{shell: 'wc ${item}'}]}"
A_MAP = "map: {input: x, agent_template: [{shell: a}]}\n"
ONE_WAY = "steps and stages run in their order without a mode: remove the line"
REFUSED = {
    "other mode": (
        f"mode: sequential\n{A_MAP}",
        [f"1:7 'mode' takes only mapreduce, not the text 'sequential' ({ONE_WAY})"],
    ),
    "no map": ("mode: mapreduce\nsetup: [{shell: a}]\n", [f"1:1 'mode: mapreduce' needs map ({MAP_EXAMPLE})"]),
    "no mode": (
        f"setup: [{{shell: a}}]\n{A_MAP}reduce: [{{shell: a}}]\n",
        [
            f"{line}:1 '{part}' needs mode: mapreduce (add the line  mode: mapreduce)"
            for line, part in ((1, "setup"), (2, "map"), (3, "reduce"))
        ],
    ),
    "stages and commands too": (
        f"mode: mapreduce\n{A_MAP}stages: [{{name: a, commands: [{{shell: a}}]}}]\ncommands: [{{shell: a}}]\n",
        [
            f"{line}:1 a workflow with a mode has no {word} (its parts are setup, map and reduce)"
            for line, word in ((3, "stages"), (4, "commands"))
        ],
    ),
    "a count that its variable does not give": (
        "mode: mapreduce\nvariables: {n: many}\n"
        "map:\n  input: x\n  max_parallel: ${n}\n  agent_template: [{shell: a}]\n",
        ["5:17 'max_parallel' takes a whole number from 1 to 1000, and ${n} is 'many'"],
    ),
    "map without anything": (
        "mode: mapreduce\nmap: {max_parallel: 2}\n",
        [f"2:6 'map' needs input ({MAP_EXAMPLE})"],
    ),
    "map without a template": (
        "mode: mapreduce\nmap: {input: x}\n",
        [f"2:6 'map' needs agent_template ({MAP_EXAMPLE})"],
    ),
    "two inputs": (
        workflow("input: {file: a, glob: b}"),
        ["3:10 'input' is one file, glob or command (for example  input: {glob: 'src/**/*.py'})"],
    ),
    "part without commands": (
        workflow(setup="{timeout: 5}"),
        ["2:8 'setup' needs commands (for example  - shell: make  or  - claude: /review)"],
    ),
    "too parallel": (
        workflow("max_parallel: 1000000000"),
        ["4:17 'max_parallel' takes a whole number or a ${…} (1 to 1000), not 1000000000 "
         "(for example  max_parallel: 3)"],
    ),
    "not parallel": (
        workflow("max_parallel: 0"),
        ["4:17 'max_parallel' takes a whole number or a ${…} (1 to 1000), not 0 (for example  max_parallel: 3)"],
    ),
    "negative": (
        workflow("max_parallel: -1"),
        ["4:17 'max_parallel' takes a whole number or a ${…} (1 to 1000), not -1 (for example  max_parallel: 3)"],
    ),
    "in words": (
        workflow("max_parallel: many"),
        [
            "4:17 'max_parallel' takes a whole number or a ${…} (1 to 1000), not the text 'many' "
            "(for example  max_parallel: 3)"
        ],
    ),
    "share over all": (
        workflow("error_policy: {failure_threshold: 120%}"),
        ["4:37 'failure_threshold' takes a share such as 0.2 or 20% (0 to 1), not the text '120%'"],
    ),
    "breaker without failures": (
        workflow("error_policy: {circuit_breaker: {timeout: 5}}"),
        ["4:35 'circuit_breaker' needs failure_threshold (for example  {failure_threshold: 5, timeout: 1m})"],
    ),
    "breaker in both spellings": (
        workflow("error_policy: {circuit_breaker: {failures: 5, failure_threshold: 5}}"),
        ["4:49 'failure_threshold' and 'failures' are the same key (keep one)"],
    ),
    "retries without retry": (
        workflow("error_policy: {max_retries: 5}"),
        ["4:31 'max_retries' needs on_item_failure: retry (or give the steps a retry of their own)"],
    ),
    "no JSONPath": (
        workflow("json_path: files[*]"),
        [
            "4:14 a JSONPath begins with $, the whole document (for example  $.files[*]  or  $.issues[?@.open])"
        ],
    ),
    "unclosed JSONPath": (
        workflow("json_path: $.files["),
        [
            "4:14 this is no JSONPath: unexpected end of query (for example  $.files[*]  or  $.issues[?@.open])"
        ],
    ),
    "order": (
        workflow("sort_by: [a, b DOWN]"),
        [
            "4:18 expected ASC, DESC, NULLS FIRST, NULLS LAST or a comma (for example  severity DESC NULLS LAST, name)"
        ],
    ),
    "filter": (workflow("filter: 'a =='"), ["4:16 the condition ends where a value is expected"]),
    "key of a step": (
        workflow("shell: make"),
        ["4:3 unknown key 'shell' in map (it is a key of a step)"],
    ),
    "misspelt key": (workflow("max_paralel: 3"), ["4:3 unknown key 'max_paralel' in map (did you mean max_parallel?)"]),
    "word of another tool": (
        workflow("concurrency: 3"),
        ["4:3 unknown key 'concurrency' in map (here it is called max_parallel)"],
    ),
    "checkpoint in the template": (
        workflow(template="[{shell: a, checkpoint: true, requires_confirmation: true}]"),
        [
            "4:43 'checkpoint' cannot stand inside agent_template (remove it)",
            "4:72 'requires_confirmation' cannot stand inside agent_template (remove it)",
        ],
    ),
    "checkpoint in a handler of the map": (
        workflow("on_failure: {shell: a, checkpoint: true}"),
        ["4:38 'checkpoint' cannot stand inside on_failure (remove it)"],
    ),
    "id called like a part": (
        workflow(setup="[{shell: a, id: reduce}, {shell: b, capture: setup}]"),
        [
            "2:24 'reduce' is a part of the workflow already (choose another name)",
            "2:53 'setup' is a part of the workflow already (choose another name)",
        ],
    ),
    "variable called like a part": (
        "variables: {setup: 1}\n" + workflow(),
        ["1:13 'setup' is a part of the workflow already (choose another name)"],
    ),
    "id of the template in reduce": (
        workflow(template="[{shell: a, id: lint}]", reduce="[{claude: '${lint.output}'}]"),
        [f"5:20 'lint' is inside the map: the step on line 4 gives it ({INSIDE})"],
    ),
    "capture of the template in a script of reduce": (
        workflow(template="[{shell: a, capture: lint}]", reduce="[{shell: 'echo ${lint}'}]"),
        [f"5:24 'lint' is inside the map: the step on line 4 gives it ({INSIDE})"],
    ),
    "id of the template in setup": (
        workflow(setup="[{claude: '${lint.output}'}]", template="[{shell: a, id: lint}]"),
        [f"2:19 'lint' is inside the map: the step on line 5 gives it ({INSIDE})"],
    ),
    "id of the template before its step": (
        workflow(template="[{claude: '${lint}'}, {shell: a, id: lint}]"),
        [f"4:30 'lint' comes later: the step on line 4 gives it ({BACKWARD})"],
    ),
    "capture of the template that reduce has too": (
        workflow(template="[{shell: a, capture: x}]", reduce="[{claude: '${x}'}, {shell: a, capture: x}]"),
        [f"5:20 'x' comes later: the step on line 4 gives it ({BACKWARD})"],
    ),
    "id of the template in a handler of the map": (
        workflow("on_failure: {shell: a, id: x}", template="[{shell: b, id: x}]"),
        ["4:30 the id 'x' is used twice (the first is on line 5)"],
    ),
    "id of reduce in the template": (
        workflow(template="[{claude: '${sum}'}]", reduce="[{shell: a, id: sum}]"),
        [f"4:30 'sum' comes later: the step on line 5 gives it ({BACKWARD})"],
    ),
    "item in setup": (
        workflow(setup="[{claude: '${item}'}]"),
        [
            "2:19 'item' is known for each item only: in agent_template, filter and item_key "
            "(use ${map.results} in reduce)"
        ],
    ),
    "item in the input": (
        workflow("input: ${item}"),
        [
            "3:10 'item' is known for each item only: in agent_template, filter and item_key "
            "(use ${map.results} in reduce)"
        ],
    ),
    "place as a key": (
        workflow("item_key: ${item_index}"),
        ["4:13 'item_index' is known for each item only: in agent_template (use ${map.results} in reduce)"],
    ),
    "map in setup": (
        workflow(setup="[{claude: '${map.total}'}]"),
        [f"2:19 'map' is known when the map is done: in reduce, and in on_failure of the map ({BACKWARD})"],
    ),
    "map in the template": (
        workflow(template="[{claude: '${map.total}'}]"),
        [f"4:30 'map' is known when the map is done: in reduce, and in on_failure of the map ({BACKWARD})"],
    ),
    "result of the map that does not exist": (
        workflow(reduce="[{claude: '${map.result}'}]"),
        ["5:20 ${map.result} names no result of 'map' (did you mean ${map.results}?)"],
    ),
    "item in a workflow without a map": (
        "- claude: ${item}\n",
        ["1:11 'item' is known with  mode: mapreduce  only (the same steps for many items are a map)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_a_map_that_cannot_be_meant_is_refused(text: str, expected: list[str]) -> None:
    """At its place, with the mend."""
    assert refusals(text) == expected
