"""What XenAPI promises: one class a file, declared once; everything else that knows the API reads it from here."""
