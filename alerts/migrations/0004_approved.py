from django.db import migrations

from alerts import guards


def install(apps, schema_editor):
    guards.install_approved(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("alerts", "0003_roles")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
