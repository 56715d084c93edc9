"""fitted_model.pkl of `plimsoll profile` loads with nothing but Python, and its trees predict.

usage: fitted_model_test.py PLIMSOLL TRACES
"""
import pathlib
import pickle
import subprocess
import sys
import tempfile


def predict(tree, row):
    while "feature" in tree:
        tree = tree["left"] if row[tree["feature"]] <= tree["threshold"] else tree["right"]
    return tree["value"]


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], "profile", sys.argv[2], "--all", "--output_dir", folder], check=True, stdout=subprocess.DEVNULL)
    with open(pathlib.Path(folder) / "fitted_model.pkl", "rb") as file:
        model = pickle.load(file)

assert model["n_estimators"] == len(model["trees"]) == 3, model
assert len(model["features"]) == len(model["targets"]) == 3 * model["matrix_length"]
assert model["features"][-1] == "completion_tokens[-0]" and model["targets"][0] == "seconds_between_calls[+1]", model["features"]
for tree in model["trees"]:
    assert tree["samples"] == model["rows"] > 0
    values = predict(tree, [0.0] * len(model["features"]))
    assert len(values) == len(model["targets"]) and all(value >= 0 for value in values), values
