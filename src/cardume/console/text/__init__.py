"""Every text of the console, in English and in Brazilian Portuguese."""
