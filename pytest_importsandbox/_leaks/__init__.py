"""Import leaks: which test, fixture, test file or conftest file left what behind."""
