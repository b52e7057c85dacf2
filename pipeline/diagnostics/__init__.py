"""What is wrong with a recording, a corpus, a data set, a model, a run or the installation, in sentences."""
