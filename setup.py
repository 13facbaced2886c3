from setuptools import find_packages, setup

# The examples are a package of the wheel too: `liveorder demo` runs them wherever it is installed.
packages = ["liveorder", *(f"liveorder.{name}" for name in find_packages("src")), "liveorder.examples"]
setup(package_dir={"liveorder": "src", "liveorder.examples": "examples"}, packages=packages)
