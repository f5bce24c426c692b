"""`doctor`: what is installed and which data are there, also where something is broken."""


def test_doctor_says_what_it_can_where_tensorflow_is_broken(cli, monkeypatch):
    def broken():
        raise ImportError("DLL load failed")

    monkeypatch.setattr("kerasexp.backend.import_tensorflow", broken)
    answer = cli("doctor")
    assert answer.code == 1 and answer.err == "error: TensorFlow cannot be imported: ImportError: DLL load failed\n"
    assert "extra 'serve': " in answer.out and "KERASEXP_DATA" in answer.out and "cache: writable" in answer.out


def test_doctor_names_the_data_that_are_there(cli, monkeypatch, tmp_path):
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    assert f"Keras's cache {cache}: no dataset\n" in cli("doctor").out
    (cache / "mnist.npz").touch()
    out = cli("doctor").out
    assert (
        "KERASEXP_DATA is not set; Keras's cache has the sources, or they are downloaded, or stand-ins are used\n"
        in out
    )
    assert f"Keras's cache {cache}: mnist.npz\n" in out
    (tmp_path / "PetImages").mkdir()
    monkeypatch.setenv("KERASEXP_DATA", str(tmp_path))
    assert f"KERASEXP_DATA is {tmp_path}; there: PetImages\n" in cli("doctor").out
