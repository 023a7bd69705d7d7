"""Other people's warnings, followed by address: asked, read, filed, shown to the desk; never sent on by themselves."""
