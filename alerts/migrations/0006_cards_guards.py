from django.db import migrations

from alerts import guards


def install(apps, schema_editor):
    guards.install(schema_editor.connection, [apps.get_model("alerts", "Card")])


class Migration(migrations.Migration):
    dependencies = [("alerts", "0005_cards")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
