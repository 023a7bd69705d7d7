from django.db import migrations

from alerts import guards


def install(apps, schema_editor):
    guards.install(
        schema_editor.connection,
        [apps.get_model("alerts", name) for name in ("Message", "Rendering", "AuditEntry", "MessageArea")],
    )


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
