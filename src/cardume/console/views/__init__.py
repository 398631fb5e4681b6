"""The screens: thin, over what presenters say. The only part that knows the toolkit."""
