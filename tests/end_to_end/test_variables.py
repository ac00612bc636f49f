"""Variables that are made of the environment: once, when the run starts, and never again."""

from tests.end_to_end.house import House

TEXT = """
name: demo
variables:
  base: ${env.PLACE}/data
  raw: ${base}/raw
  jobs: ${env.JOBS:-4}
commands:
  - {id: say, shell: 'echo "${raw} ${jobs}" >> said'}
  - id: gate
    shell: test -e open
  - {shell: 'echo "${raw} ${jobs}" >> said'}
"""


def test_a_run_keeps_the_environment_of_its_start(house: House) -> None:
    """Through a resume, an edited file, a fork; `--force` begins anew, with today's."""
    house.write("demo.yaml", TEXT)
    assert house.prodigy("cook", "demo.yaml", PLACE="/first").code == 1
    run_id = house.run_id
    (house.folder / "open").touch()
    house.write("demo.yaml", TEXT.replace("test -e open", "test -e open; echo ${base} >> said"))
    assert house.prodigy("resume", run_id, PLACE="/second", JOBS="9").code == 0
    assert (house.folder / "said").read_text().splitlines() == ["/first/data/raw 4", "/first/data", "/first/data/raw 4"]
    assert house.prodigy("fork", run_id, "--at", "say", PLACE="/third").code == 0
    assert (house.folder / "said").read_text().splitlines()[-1] == "/first/data/raw 4"
    assert house.prodigy("resume", run_id, "--force", PLACE="/last", JOBS="9").code == 0
    assert (house.folder / "said").read_text().splitlines()[-1] == "/last/data/raw 9"


def test_what_the_environment_lacks_stops_a_run_before_it_begins(house: House) -> None:
    """With the place and what to do; a dry run says so too, and validate only notes it."""
    house.write("demo.yaml", TEXT)
    for command in (["cook"], ["cook", "--dry-run"]):
        code, _, err = house.prodigy(*command, "demo.yaml")
        assert (code, "demo.yaml:4:9: the environment has no PLACE" in err) == (3, True), err
    assert not (house.state / "runs").exists()
    code, out, err = house.prodigy("validate", "demo.yaml")
    assert (code, "the environment has no PLACE" in err, "valid, 1 to look at" in out) == (0, True, True)
    assert house.prodigy("cook", "demo.yaml", "--dry-run", "--param", "base=/given").code == 0


def test_a_value_of_the_environment_is_data(house: House) -> None:
    """It is no code, and no reference of ours."""
    house.write("demo.yaml", "variables: {it: 'x${env.PLACE}'}\ncommands: [{shell: 'printf %s ${it} > said'}]\n")
    assert house.prodigy("cook", "demo.yaml", PLACE="$(reboot) ${it} ${env.HOME} * ;").code == 0
    assert (house.folder / "said").read_text() == "x$(reboot) ${it} ${env.HOME} * ;"


def test_the_shells_form_is_refused_with_the_way(house: House) -> None:
    """It stood there literally, and a folder named ${HOME} was made."""
    house.write("demo.yaml", "variables: {dest: '${HOME}/x'}\ncommands: [{shell: 'mkdir -p ${dest}'}]\n")
    code, _, err = house.cook()
    assert (code, "the environment's is ${env.HOME}" in err) == (3, True)
